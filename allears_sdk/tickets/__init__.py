"""The ground floor of all stores of tickets: mapping, texts, marks, files and calls live here once."""

from allears_sdk.tickets.checks import check_choices, check_fields, check_values
from allears_sdk.tickets.facts import as_text
from allears_sdk.tickets.files import FileLimits
from allears_sdk.tickets.parts import parts_of
from allears_sdk.tickets.placeholders import defuse
from allears_sdk.tickets.requester import email_of, name_of
from allears_sdk.tickets.settings import (
    CustomerIsRequester,
    FileSettings,
    LinkSettings,
    MappingSettings,
    Reopen,
    Requester,
    Statuses,
    StoreValue,
    TextSettings,
    TicketSettings,
    ToldSettings,
    WhenInDoubt,
    WhenNotFound,
)
from allears_sdk.tickets.sink import NOBODYS_KEY, TicketSink, answered, listed, marks_in
from allears_sdk.tickets.uploads import refused_line, upload_each, with_lines
from allears_sdk.tickets.view import Limits, View

__all__ = [
    "NOBODYS_KEY",
    "CustomerIsRequester",
    "FileLimits",
    "FileSettings",
    "Limits",
    "LinkSettings",
    "MappingSettings",
    "Reopen",
    "Requester",
    "Statuses",
    "StoreValue",
    "TextSettings",
    "TicketSettings",
    "TicketSink",
    "ToldSettings",
    "View",
    "WhenInDoubt",
    "WhenNotFound",
    "answered",
    "as_text",
    "check_choices",
    "check_fields",
    "check_values",
    "defuse",
    "email_of",
    "listed",
    "marks_in",
    "name_of",
    "parts_of",
    "refused_line",
    "upload_each",
    "with_lines",
]
