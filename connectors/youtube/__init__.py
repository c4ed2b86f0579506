"""YouTube: comments under a channel's videos."""

from connectors.youtube.connector import YoutubeConnector
from connectors.youtube.settings import YoutubeSettings

__all__ = ["YoutubeConnector", "YoutubeSettings"]
