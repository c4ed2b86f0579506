"""What Freshdesk's automation rules tell by webhook. It signs nothing: a secret goes with each, in a header.

Source: the vendor's support articles on webhooks in automation rules; the JSON is that of our docs page, or the
"simple" one of the rule editor.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from allears_sdk.connector import Request
from allears_sdk.signing import same
from allears_sdk.sink import Hearing, TicketChange, TicketStatus

HEADER = "X-Allears-Secret"
STATUSES: Mapping[str, TicketStatus] = {
    "open": TicketStatus.OPEN,
    "pending": TicketStatus.PENDING,
    "waiting on customer": TicketStatus.PENDING,
    "waiting on third party": TicketStatus.PENDING,
    "resolved": TicketStatus.SOLVED,
    "closed": TicketStatus.CLOSED,
}
SIMPLE = "freshdesk_webhook"
"""What the rule editor's simple content lies in; its names begin with `ticket_`."""


def hear(request: Request, secret: SecretStr | None, statuses: Mapping[str, TicketStatus]) -> Hearing:
    if secret is None:
        return Hearing(refused=f"webhook_secret is not set; the rule sends it as {HEADER}")
    if not _is_known(request, secret.get_secret_value()):
        return Hearing(refused=f"the secret in {HEADER} does not fit; check webhook_secret and the rule's headers")
    try:
        told = json.loads(request.body)
        change = _change(_flat(told), request, statuses)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return Hearing(refused=f"not the JSON of the docs page: {type(error).__name__}")
    return Hearing(changes=(change,))


def _is_known(request: Request, secret: str) -> bool:
    """As a header of its own, or as the password of basic authentication where rules allow no other."""
    return same(secret, request.header(HEADER)) or same(secret, _password(request.header("Authorization")))


def _password(authorization: str) -> str:
    try:
        return base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _flat(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """The simple content under our names."""
    if SIMPLE not in told:
        return told
    names = {"ticket_status": "status", "ticket_agent_name": "handler", "triggered_event": "event"}
    return {names.get(name, name): value for name, value in told[SIMPLE].items()}


def _change(told: Mapping[str, Any], request: Request, statuses: Mapping[str, TicketStatus]) -> TicketChange:
    status, handler = str(told.get("status") or ""), told.get("handler")
    return TicketChange(
        ticket=str(int(told["ticket_id"])),
        at=request.received_at,
        status=statuses.get(status) or STATUSES.get(status.casefold()),
        store_status=status,
        handler=None if handler is None else str(handler),
        answered=told.get("answered") is True or "reply_sent" in str(told.get("event")),
    )
