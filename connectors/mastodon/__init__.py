"""Mastodon, and servers that speak its API: posts that mention an account."""

from connectors.mastodon.connector import MastodonConnector
from connectors.mastodon.settings import MastodonSettings

__all__ = ["MastodonConnector", "MastodonSettings"]
