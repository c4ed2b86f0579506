"""Reviews and after-sales cases of a JD shop."""

from connectors.jd.connector import JdConnector
from connectors.jd.settings import JdSettings

__all__ = ["JdConnector", "JdSettings"]
