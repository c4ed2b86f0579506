"""What the event sinks (`jsonl`, `webhook`, the brokers) say alike."""

from __future__ import annotations

from typing import Any

from allears_sdk.complaint import Event, EventKind

TYPES = {
    EventKind.OPENED: "complaint.created.v1",
    EventKind.FOLLOWED_UP: "complaint.updated.v1",
    EventKind.EDITED: "complaint.updated.v1",
    EventKind.WITHDRAWN: "complaint.withdrawn.v1",
}


def event_facts(event: Event) -> dict[str, Any]:
    """The event without its record: what happened, when, and what changed."""
    return {
        "id": event.id,
        "sequence": event.sequence,
        "kind": event.kind,
        "at": event.at,
        "messages": event.messages,
        "keys": event.keys,
        "changes": event.changes,
    }
