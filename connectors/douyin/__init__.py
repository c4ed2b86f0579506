"""Douyin: private messages that are pushed, and comments under an account's videos."""

from connectors.douyin.connector import DouyinConnector
from connectors.douyin.settings import DouyinSettings

__all__ = ["DouyinConnector", "DouyinSettings"]
