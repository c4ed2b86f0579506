"""A chat widget for websites, and its JSON interface for apps and chatbots."""

from connectors.webchat.connector import WebchatConnector
from connectors.webchat.settings import WebchatSettings

__all__ = ["WebchatConnector", "WebchatSettings"]
