"""Complaints that customers file at WeChat Pay (微信支付消费者投诉 2.0)."""

from connectors.wechat_pay.connector import WechatPayConnector
from connectors.wechat_pay.settings import WechatPaySettings

__all__ = ["WechatPayConnector", "WechatPaySettings"]
