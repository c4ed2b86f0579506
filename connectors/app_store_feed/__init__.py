"""Reviews of any app, by Apple's public feed."""

from connectors.app_store_feed.connector import AppStoreFeedConnector
from connectors.app_store_feed.settings import AppStoreFeedSettings

__all__ = ["AppStoreFeedConnector", "AppStoreFeedSettings"]
