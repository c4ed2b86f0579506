"""Reviews of one's own apps on Google Play."""

from connectors.google_play.connector import GooglePlayConnector
from connectors.google_play.settings import GooglePlaySettings

__all__ = ["GooglePlayConnector", "GooglePlaySettings"]
