"""Feishu and Lark: messages to a bot, in groups and one to one."""

from connectors.feishu.connector import FeishuConnector
from connectors.feishu.settings import FeishuSettings

__all__ = ["FeishuConnector", "FeishuSettings"]
