"""Webhook: what customers say there, as raws and messages."""

from connectors.webhook.connector import WebhookConnector
from connectors.webhook.settings import WebhookSettings

__all__ = ["WebhookConnector", "WebhookSettings"]
