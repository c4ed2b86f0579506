"""Mail over IMAP: heard at once where the server has IDLE, polled everywhere."""

from connectors.email.connector import EmailConnector
from connectors.email.settings import EmailSettings

__all__ = ["EmailConnector", "EmailSettings"]
