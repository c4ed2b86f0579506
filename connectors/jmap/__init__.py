"""Mail over JMAP (RFC 8620, RFC 8621)."""

from connectors.jmap.connector import JmapConnector
from connectors.jmap.settings import JmapSettings

__all__ = ["JmapConnector", "JmapSettings"]
