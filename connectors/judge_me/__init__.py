"""Product reviews that Judge.me gathers for a shop."""

from connectors.judge_me.connector import JudgeMeConnector
from connectors.judge_me.settings import JudgeMeSettings

__all__ = ["JudgeMeConnector", "JudgeMeSettings"]
