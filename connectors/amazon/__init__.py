"""What Amazon tells a seller: feedback on the seller, and topics of product reviews."""

from connectors.amazon.connector import AmazonConnector
from connectors.amazon.settings import AmazonSettings

__all__ = ["AmazonConnector", "AmazonSettings"]
