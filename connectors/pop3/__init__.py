"""Mail over POP3: for servers that offer nothing better."""

from connectors.pop3.connector import Pop3Connector
from connectors.pop3.settings import Pop3Settings

__all__ = ["Pop3Connector", "Pop3Settings"]
