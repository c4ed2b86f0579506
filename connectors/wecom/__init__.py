"""企业微信: what staff write to a self-built app, pushed by WeCom."""

from connectors.wecom.connector import WecomConnector
from connectors.wecom.settings import WecomSettings

__all__ = ["WecomConnector", "WecomSettings"]
