"""Reviews of one's own places on Google Maps and Search."""

from connectors.google_business.connector import GoogleBusinessConnector
from connectors.google_business.settings import GoogleBusinessSettings

__all__ = ["GoogleBusinessConnector", "GoogleBusinessSettings"]
