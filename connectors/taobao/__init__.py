"""Ratings and refunds of a Taobao or Tmall shop."""

from connectors.taobao.connector import TaobaoConnector
from connectors.taobao.settings import TaobaoSettings

__all__ = ["TaobaoConnector", "TaobaoSettings"]
