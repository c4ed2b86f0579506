"""What Zendesk's webhooks tell: of events it is subscribed to, or in the JSON of a trigger.

Sources: the vendor's pages "Verifying webhooks" and "Ticket events".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from allears_sdk.connector import Request
from allears_sdk.reference import find_references
from allears_sdk.signing import OutsideWindow, check_window, hmac_base64, same
from allears_sdk.sink import Hearing, TicketChange, TicketStatus
from sink.zendesk.settings import ZendeskSettings

EVENTS = "zen:event-type:ticket."
STATUSES: Mapping[str, TicketStatus] = {
    "new": TicketStatus.OPEN,
    "open": TicketStatus.OPEN,
    "pending": TicketStatus.PENDING,
    "hold": TicketStatus.PENDING,
    "on-hold": TicketStatus.PENDING,
    "solved": TicketStatus.SOLVED,
    "closed": TicketStatus.CLOSED,
}
NOBODY = ("", "0", "None")
"""Ids of the absent."""


def hear(request: Request, settings: ZendeskSettings, now: datetime) -> Hearing:
    if settings.webhook_secret is None:
        return Hearing(refused="webhook_secret is not set; copy the webhook's signing secret")
    if refused := _refusal(request, settings.webhook_secret.get_secret_value(), now):
        return Hearing(refused=refused)
    try:
        told = json.loads(request.body)
        change = _event(told, settings) if "type" in told else _trigger(told, request.received_at, settings.statuses)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return Hearing(refused=f"not what Zendesk sends: {type(error).__name__}")
    return Hearing(changes=(change,) if change else ())


def _refusal(request: Request, secret: str, now: datetime) -> str:
    """Why it is not from Zendesk; "" when it is. Signed are the time and the body, one after the other."""
    time = request.header("X-Zendesk-Webhook-Signature-Timestamp")
    expected = hmac_base64(secret, time.encode() + request.body)
    if not same(expected, request.header("X-Zendesk-Webhook-Signature")):
        return "the signature does not fit; check webhook_secret"
    try:
        check_window(_instant(time), now)
    except (ValueError, OutsideWindow) as error:
        return f"signed at another time: {error}"
    return ""


def _event(told: Mapping[str, Any], settings: ZendeskSettings) -> TicketChange | None:
    """Details show the ticket as it is after the event, whatever the event."""
    kind = str(told["type"])
    if not kind.startswith(EVENTS):
        return None
    detail = told["detail"]
    status = str(detail.get("status") or "")
    return TicketChange(
        ticket=str(detail["id"]),
        at=_instant(str(told["time"])),
        status=STATUSES.get(status.lower()),
        store_status=status.lower(),
        handler=_handler(detail["assignee_id"], settings) if "assignee_id" in detail else None,
        answered=kind == f"{EVENTS}comment_added" and _is_answer(told["event"]["comment"]),
    )


def _handler(assignee: object, settings: ZendeskSettings) -> str:
    """Events name agents by number: those that the mapping knows have a name."""
    id_ = str(assignee)
    if id_ in NOBODY:
        return ""
    names = {str(mapped): name for name, mapped in settings.values.get("handler", {}).items() if name != "*"}
    return names.get(id_, id_)


def _is_answer(comment: Mapping[str, Any]) -> bool:
    """An agent's public word; ours bear a reference at their end."""
    is_staff = bool((comment.get("author") or {}).get("is_staff"))
    return is_staff and bool(comment.get("is_public")) and not find_references(str(comment.get("body"))[-2000:])


def _trigger(told: Mapping[str, Any], received_at: datetime, statuses: Mapping[str, TicketStatus]) -> TicketChange:
    """The JSON that the docs page gives for a trigger; the status is in the account's language."""
    status, handler = str(told.get("status") or ""), told.get("handler")
    return TicketChange(
        ticket=str(told["ticket_id"]),
        at=received_at,
        status=statuses.get(status) or STATUSES.get(status.lower()),
        store_status=status,
        handler=str(handler) if handler is not None else None,
    )


def _instant(text: str) -> datetime:
    """ISO 8601 with its zone. Raises ValueError."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("a time without a zone")
    return instant
