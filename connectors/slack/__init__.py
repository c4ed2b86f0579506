"""Slack: channels and direct messages a bot is in."""

from connectors.slack.connector import SlackConnector
from connectors.slack.settings import SlackSettings

__all__ = ["SlackConnector", "SlackSettings"]
