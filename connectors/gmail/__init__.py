"""Mail of Gmail and Google Workspace over the Gmail API."""

from connectors.gmail.connector import GmailConnector
from connectors.gmail.settings import GmailSettings

__all__ = ["GmailConnector", "GmailSettings"]
