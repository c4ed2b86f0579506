"""DingTalk: messages to a robot, in groups and one to one."""

from connectors.dingtalk.connector import DingTalkConnector
from connectors.dingtalk.settings import DingTalkSettings

__all__ = ["DingTalkConnector", "DingTalkSettings"]
