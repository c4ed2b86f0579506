"""Reviews of a company and of its products on Trustpilot."""

from connectors.trustpilot.connector import TrustpilotConnector
from connectors.trustpilot.settings import TrustpilotSettings

__all__ = ["TrustpilotConnector", "TrustpilotSettings"]
