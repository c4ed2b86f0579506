"""大众点评 and Meituan in-store: stars that customers give a shop, by polling. Their words are not to be had."""

from connectors.dianping.connector import DianpingConnector
from connectors.dianping.settings import DianpingSettings

__all__ = ["DianpingConnector", "DianpingSettings"]
