"""X: what is said to an account and about a company, within a budget."""

from connectors.x.connector import XConnector
from connectors.x.settings import XSettings

__all__ = ["XConnector", "XSettings"]
