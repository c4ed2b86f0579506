"""State changes among a JMAP server's events (RFC 8620 §7.3). Pure."""

from __future__ import annotations

import json

from allears_sdk.remote.events import Event


def mail_state(event: Event, account: str) -> str:
    """The new state of the account's mails, "" where the event tells of none."""
    if event.name != "state":
        return ""
    try:
        changed = json.loads(event.data)["changed"][account]["Email"]
    except (ValueError, KeyError, TypeError):
        return ""
    return changed if isinstance(changed, str) else ""
