"""Tickets in HubSpot: each with our key in a unique property, follow-ups as notes, files at notes."""

from sink.hubspot.settings import HubspotSettings
from sink.hubspot.sink import HubspotSink

__all__ = ["HubspotSettings", "HubspotSink"]
