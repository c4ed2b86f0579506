"""After-sales cases of a Pinduoduo shop."""

from connectors.pdd.connector import PddConnector
from connectors.pdd.settings import PddSettings

__all__ = ["PddConnector", "PddSettings"]
