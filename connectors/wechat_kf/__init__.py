"""微信客服: what customers say to WeChat customer service accounts, with the agents' answers."""

from connectors.wechat_kf.connector import WechatKfConnector
from connectors.wechat_kf.settings import WechatKfSettings

__all__ = ["WechatKfConnector", "WechatKfSettings"]
