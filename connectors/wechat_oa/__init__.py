"""微信公众号: what followers write to an Official Account, pushed by WeChat."""

from connectors.wechat_oa.connector import WechatOaConnector
from connectors.wechat_oa.settings import WechatOaSettings

__all__ = ["WechatOaConnector", "WechatOaSettings"]
