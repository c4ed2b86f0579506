"""Facebook: a Page's comments, visitors' posts, recommendations, and Messenger."""

from connectors.facebook.connector import FacebookConnector
from connectors.facebook.settings import FacebookSettings

__all__ = ["FacebookConnector", "FacebookSettings"]
