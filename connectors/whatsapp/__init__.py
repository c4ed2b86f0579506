"""WhatsApp: a business's numbers on Meta's Cloud API."""

from connectors.whatsapp.connector import WhatsappConnector
from connectors.whatsapp.settings import WhatsappSettings

__all__ = ["WhatsappConnector", "WhatsappSettings"]
