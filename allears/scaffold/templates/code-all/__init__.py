"""Newborn: what customers say there, as raws and messages."""

from connectors.newborn.connector import NewbornConnector
from connectors.newborn.settings import NewbornSettings

__all__ = ["NewbornConnector", "NewbornSettings"]
