"""Mail of Microsoft 365 and Outlook.com over Microsoft Graph."""

from connectors.graph_mail.connector import GraphMailConnector
from connectors.graph_mail.settings import GraphMailSettings

__all__ = ["GraphMailConnector", "GraphMailSettings"]
