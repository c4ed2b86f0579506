"""微信小程序: customer service messages, pushed by WeChat, and transaction reviews, polled."""

from connectors.wechat_mini.connector import WechatMiniConnector
from connectors.wechat_mini.settings import WechatMiniSettings

__all__ = ["WechatMiniConnector", "WechatMiniSettings"]
