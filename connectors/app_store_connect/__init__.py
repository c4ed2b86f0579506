"""Reviews of one's own apps, by the App Store Connect API."""

from connectors.app_store_connect.connector import AppStoreConnectConnector
from connectors.app_store_connect.settings import AppStoreConnectSettings

__all__ = ["AppStoreConnectConnector", "AppStoreConnectSettings"]
