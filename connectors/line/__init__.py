"""LINE: an official account that customers write to (Messaging API)."""

from connectors.line.connector import LineConnector
from connectors.line.settings import LineSettings

__all__ = ["LineConnector", "LineSettings"]
