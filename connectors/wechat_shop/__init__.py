"""微信小店 (WeChat Shop): after-sales orders and the disputes that come of them, pushed as a signal, then read."""

from connectors.wechat_shop.connector import WechatShopConnector
from connectors.wechat_shop.settings import WechatShopSettings

__all__ = ["WechatShopConnector", "WechatShopSettings"]
