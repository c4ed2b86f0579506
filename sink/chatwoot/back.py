"""What Chatwoot's webhooks tell of conversations (its OpenAPI, "Webhook": `secret`; its page "Webhooks")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from allears_sdk.connector import Request
from allears_sdk.signing import OutsideWindow, check_window, hmac_hex, same
from allears_sdk.sink import Hearing, TicketChange, TicketStatus
from sink.chatwoot.settings import ChatwootSettings

EVENTS = frozenset({"conversation_created", "conversation_updated", "conversation_status_changed"})
_STATUSES: Mapping[str, TicketStatus] = {
    "open": TicketStatus.OPEN,
    "pending": TicketStatus.OPEN,
    "snoozed": TicketStatus.PENDING,
    "resolved": TicketStatus.SOLVED,
}


def hear(request: Request, settings: ChatwootSettings) -> Hearing:
    if settings.webhook_secret is None:
        return Hearing(refused="set webhook_secret: the secret that Chatwoot shows beside its webhook")
    refused = _refused(request, settings.webhook_secret.get_secret_value())
    if refused:
        return Hearing(refused=refused)
    try:
        told: Any = json.loads(request.body)
        if told["event"] not in EVENTS or told["inbox_id"] != settings.inbox_id:
            return Hearing()
        return Hearing(changes=(_change(told, request.received_at),))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return Hearing(refused="the body is no event of Chatwoot's")


def _refused(request: Request, secret: str) -> str:
    """Why, or "". Before Chatwoot signed (4.x), the secret itself went in the address: `?secret=…`."""
    signature, stamp = request.header("x-chatwoot-signature"), request.header("x-chatwoot-timestamp")
    if not signature:
        return "" if same(request.parameter("secret"), secret) else "neither X-Chatwoot-Signature nor the secret"
    if not same(signature, f"sha256={hmac_hex(secret, stamp.encode() + b'.' + request.body)}"):
        return "X-Chatwoot-Signature does not fit: is it this webhook's secret?"
    try:
        check_window(datetime.fromtimestamp(int(stamp), UTC), request.received_at)
    except (OutsideWindow, ValueError, OverflowError, OSError) as error:
        return f"X-Chatwoot-Timestamp: {error}"
    return ""


def _change(told: Mapping[str, Any], now: datetime) -> TicketChange:
    status, changed = str(told["status"]), told.get("updated_at") or told.get("timestamp")
    return TicketChange(
        ticket=str(int(told["id"])),
        at=min(datetime.fromtimestamp(float(changed), UTC), now) if changed else now,
        status=_STATUSES.get(status),
        store_status=status,
        handler=_handler(told.get("meta") or {}),
        answered=told.get("first_reply_created_at") not in (None, 0, "", "0"),
    )


def _handler(meta: Mapping[str, Any]) -> str | None:
    if "assignee" not in meta:
        return None
    assignee = meta["assignee"] or {}
    return str(assignee.get("available_name") or assignee.get("name") or assignee.get("email") or "")
