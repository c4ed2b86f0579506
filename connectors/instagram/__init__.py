"""Instagram: comments, mentions and messages of a professional account."""

from connectors.instagram.connector import InstagramConnector
from connectors.instagram.settings import InstagramSettings

__all__ = ["InstagramConnector", "InstagramSettings"]
