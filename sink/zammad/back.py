"""What Zammad's webhooks tell of tickets (its administrators' pages "Webhook", "Add", "Payload")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from allears_sdk.connector import Request
from allears_sdk.signing import hmac_hex, same
from allears_sdk.sink import Hearing, TicketChange, TicketStatus
from sink.zammad.settings import ZammadSettings

_STATUSES: Mapping[str, TicketStatus] = {
    "new": TicketStatus.OPEN,
    "open": TicketStatus.OPEN,
    "pending reminder": TicketStatus.PENDING,
    "pending close": TicketStatus.PENDING,
    "closed": TicketStatus.CLOSED,
    "merged": TicketStatus.CLOSED,
}
_NOBODY = "-"
"""Login of the user that stands for nobody."""


def hear(request: Request, settings: ZammadSettings) -> Hearing:
    if settings.webhook_secret is None:
        return Hearing(refused="set webhook_secret, here and as signature token of Zammad's webhook")
    signature = hmac_hex(settings.webhook_secret.get_secret_value(), request.body, "sha1")
    if not same(request.header("x-hub-signature"), f"sha1={signature}"):
        return Hearing(refused="X-Hub-Signature does not fit: is it the signature token of Zammad's webhook?")
    try:
        return Hearing(changes=(_change(json.loads(request.body)["ticket"], request.received_at, settings),))
    except (ValueError, LookupError, TypeError, AttributeError):
        return Hearing(refused="the body holds no ticket of Zammad's: leave its payload as it is")


def _change(ticket: Mapping[str, Any], now: datetime, settings: ZammadSettings) -> TicketChange:
    state = str(ticket["state"])
    return TicketChange(
        ticket=str(int(ticket["id"])),
        at=min(datetime.fromisoformat(ticket["updated_at"]).astimezone(UTC), now),
        status=settings.statuses.get(state) or _STATUSES.get(state),
        store_status=state,
        handler=_handler(ticket.get("owner", ...)),
        answered=bool(ticket.get("first_response_at")),
    )


def _handler(owner: Any) -> str | None:
    """A person as an object, in some versions a login."""
    if owner is ...:
        return None
    if not isinstance(owner, dict):
        return "" if owner in (None, _NOBODY) else str(owner)
    if owner.get("login") == _NOBODY:
        return ""
    name = " ".join(str(owner.get(part) or "") for part in ("firstname", "lastname")).strip()
    return name or str(owner.get("email") or owner.get("login") or "")
