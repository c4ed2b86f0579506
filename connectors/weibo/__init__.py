"""Weibo: posts and comments that mention an account, comments it gets, and private messages to it."""

from connectors.weibo.connector import WeiboConnector
from connectors.weibo.settings import WeiboSettings

__all__ = ["WeiboConnector", "WeiboSettings"]
