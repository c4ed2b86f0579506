"""Reddit: communities, searches, and what is said to an account."""

from connectors.reddit.connector import RedditConnector
from connectors.reddit.settings import RedditSettings

__all__ = ["RedditConnector", "RedditSettings"]
