"""An event as a CloudEvents 1.0 body in structured mode, no larger than its destination takes.

Source: cloudevents/spec, `spec.md` and the JSON event format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from allears_sdk.codec import decode, encode
from allears_sdk.complaint import Complaint, Event
from allears_sdk.errors import Rejected
from allears_sdk.reference import event_key
from sink._payload import TYPES, event_facts

SPEC_VERSION = "1.0"
MEDIA_TYPE = "application/cloudevents+json; charset=UTF-8"

SOURCE = "CloudEvents `source`; `urn:allears:` and the destination's name when empty."
MAX_BODY_BYTES = "Larger events lose the texts of the conversation first, and say so in `data.shortened`."
"""What the settings of these names mean, wherever they stand."""


class _Told(msgspec.Struct, frozen=True):
    keys: dict[str, str] = {}


class _Data(msgspec.Struct, frozen=True):
    event: _Told


class Head(msgspec.Struct, frozen=True):
    """What a frozen body says of itself."""

    id: str
    source: str
    type: str
    subject: str
    """The complaint's reference."""
    data: _Data

    @property
    def marks(self) -> tuple[str, ...]:
        """As `marks_of` makes them of the event: one for each message it tells of."""
        ticket = self.id.rpartition("-")[0]
        return tuple(event_key(ticket, key) for key in self.data.event.keys) or (self.id,)


def make_body(event: Event, key: str, *, source: str, max_bytes: int, files: Mapping[str, str] | None = None) -> bytes:
    """The whole body; `key` is the event's id for every receiver. Raises Rejected when it stays too large.

    `files`: SHA-256 → where that attachment is, as `data.files`."""
    for shortened in _SHORTENED:
        body = encode(_envelope(event, key, source, shortened, files))
        if len(body) <= max_bytes:
            return body
    raise Rejected(f"event larger than {max_bytes} bytes even when shortened")


def source_of(settings_source: str, destination: str) -> str:
    """The CloudEvents source of a destination."""
    return settings_source or f"urn:allears:{destination}"


def read_head(body: bytes) -> Head:
    """Raises Rejected for a body that `make_body` did not make."""
    try:
        return decode(body, Head)
    except ValueError as error:
        raise Rejected(f"not an event of ours: {error}") from None


def attributes(head: Head) -> Mapping[str, str]:
    """Attribute → value, for brokers that carry them beside the body too."""
    return {
        "specversion": SPEC_VERSION,
        "id": head.id,
        "source": head.source,
        "type": head.type,
        "subject": head.subject,
    }


def _envelope(
    event: Event, key: str, source: str, shortened: tuple[str, ...], files: Mapping[str, str] | None
) -> dict[str, Any]:
    facts = event_facts(event)
    if "event.changes" in shortened:
        facts["changes"] = {}
    data: dict[str, Any] = {"event": facts, "complaint": _shorten(event.record, shortened)}
    if files is not None:
        data["files"] = files
    return {
        "specversion": SPEC_VERSION,
        "id": key,
        "source": source,
        "type": TYPES[event.kind],
        "subject": event.complaint_id,
        "time": event.at,
        "datacontenttype": "application/json",
        "data": data if not shortened else {**data, "shortened": shortened},
    }


_SHORTENED = (
    (),
    ("conversation.text",),
    ("conversation", "provenance"),
    ("conversation", "provenance", "event.changes", "description", "attachments"),
)
"""What a body that is too large loses, step by step."""


def _shorten(record: Complaint, shortened: tuple[str, ...]) -> Complaint:
    if "conversation.text" in shortened:
        record = replace(
            record, conversation=tuple(replace(said, text=said.text[:1000]) for said in record.conversation)
        )
    if "conversation" in shortened:
        record = replace(record, conversation=(), provenance={})
    if "description" in shortened:
        record = replace(record, description=record.description[:1000], attachments=record.attachments[:20])
    return record
