"""The ground floor of all stores of tickets: mapping, texts, marks, files and calls live here once."""

from allears_sdk.tickets.files import FileLimits
from allears_sdk.tickets.settings import FileSettings, StoreValue, TicketSettings
from allears_sdk.tickets.sink import TicketSink, answered, check_fields, check_values, marks_in
from allears_sdk.tickets.view import Limits, View

__all__ = [
    "FileLimits",
    "FileSettings",
    "Limits",
    "StoreValue",
    "TicketSettings",
    "TicketSink",
    "View",
    "answered",
    "check_fields",
    "check_values",
    "marks_in",
]
