"""What a HubSpot account holds: records, and the properties they may have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

KEY_PROPERTY = "ale_complaint_id"


@dataclass
class Record:
    """A ticket, note or contact."""

    id: str
    kind: str
    properties: dict[str, str]
    is_archived: bool = False
    merged_into: str = ""

    def shown(self, wanted: Iterable[str] = ()) -> dict[str, Any]:
        names = {*wanted, "hs_object_id"}
        properties = {name: self.properties.get(name) for name in names} | {"hs_object_id": self.id}
        times = {"createdAt": "2026-11-22T04:00:00Z", "updatedAt": "2026-11-22T04:00:00Z"}
        return {"id": self.id, "properties": properties, **times, "archived": self.is_archived}


@dataclass(frozen=True)
class Property:
    """As the properties API shows it."""

    name: str
    kind: str = "string"
    options: tuple[str, ...] = ()
    is_unique: bool = False
    is_read_only: bool = False

    def shown(self) -> dict[str, Any]:
        options = [{"label": value, "value": value, "hidden": False} for value in self.options]
        writable = {"readOnlyValue": self.is_read_only, "archivable": True, "readOnlyDefinition": False}
        return {
            "name": self.name,
            "label": self.name,
            "type": self.kind,
            "fieldType": "select" if options else "text",
            "options": options,
            "hasUniqueValue": self.is_unique,
            "modificationMetadata": writable,
            "groupName": "ticketinformation",
            "description": "",
        }


def _named(*properties: Property) -> dict[str, Property]:
    return {one.name: one for one in properties}


@dataclass
class Schema:
    tickets: dict[str, Property] = field(
        default_factory=lambda: _named(
            Property("subject"),
            Property("content"),
            Property("hs_pipeline", "enumeration"),
            Property("hs_pipeline_stage", "enumeration"),
            Property("hs_ticket_priority", "enumeration", ("LOW", "MEDIUM", "HIGH", "URGENT")),
            Property("hs_ticket_category", "enumeration", ("PRODUCT_ISSUE", "BILLING_ISSUE", "GENERAL_INQUIRY")),
            Property("source_type", "enumeration", ("CHAT", "EMAIL", "FORM", "PHONE")),
            Property("hubspot_owner_id", "enumeration"),
            Property("createdate", "datetime", is_read_only=True),
            Property(KEY_PROPERTY, is_unique=True),
            Property("ale_reference"),
            Property("ale_channel"),
            Property("ale_order"),
            Property("ale_received_at", "datetime"),
            Property("ale_expectation", "enumeration", ("refund", "exchange", "apology")),
        )
    )
    notes: dict[str, Property] = field(
        default_factory=lambda: _named(
            Property("hs_timestamp", "datetime"), Property("hs_note_body"), Property("hs_attachment_ids")
        )
    )
    contacts: dict[str, Property] = field(
        default_factory=lambda: _named(
            Property("email", is_unique=True), Property("firstname"), Property("lastname"), Property("phone")
        )
    )

    def of(self, kind: str) -> dict[str, Property]:
        known: dict[str, Property] = getattr(self, kind)
        return known
