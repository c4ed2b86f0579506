"""美团外卖: what customers say of a delivery, by polling."""

from connectors.meituan.connector import MeituanConnector
from connectors.meituan.settings import MeituanSettings

__all__ = ["MeituanConnector", "MeituanSettings"]
