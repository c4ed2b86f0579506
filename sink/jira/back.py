"""What Jira's webhooks tell ("Webhooks", "Secure admin webhooks"): status, assignee, answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from allears_sdk.connector import Request
from allears_sdk.signing import hmac_hex, same
from allears_sdk.sink import Hearing, TicketChange, TicketStatus
from sink.jira.settings import JiraSettings
from sink.jira.texts import plain

_MARK = re.compile(r"ALE(?:-[0-9A-Z]{4}){3}-[0-9A-Z]{6}")
_CATEGORIES: Mapping[str, TicketStatus] = {
    "new": TicketStatus.OPEN,
    "undefined": TicketStatus.OPEN,
    "indeterminate": TicketStatus.OPEN,
    "done": TicketStatus.SOLVED,
}
_USUAL: Mapping[str, TicketStatus] = {
    "waiting for customer": TicketStatus.PENDING,
    "pending": TicketStatus.PENDING,
    "closed": TicketStatus.CLOSED,
    "canceled": TicketStatus.CLOSED,
}
"""Of Service Management's own workflows, where the category says less."""


def hear(request: Request, settings: JiraSettings) -> Hearing:
    if settings.webhook_secret is None:
        return Hearing(refused="set webhook_secret, here and in Jira's webhook")
    signature = hmac_hex(settings.webhook_secret.get_secret_value(), request.body)
    if not same(request.header("x-hub-signature"), f"sha256={signature}"):
        return Hearing(refused="X-Hub-Signature does not fit: is the secret the same in Jira's webhook?")
    try:
        told: Any = json.loads(request.body)
        tell = _EVENTS.get(str(told["webhookEvent"]))
        change = tell(told, _at(told, request), settings) if tell else None
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError, RecursionError):
        return Hearing(refused="the body is no event of Jira's")
    return Hearing(changes=(change,) if change else ())


def _at(told: Mapping[str, Any], request: Request) -> datetime:
    """Milliseconds of Unix time; a signed time that lies ahead counts as now."""
    stamp = told.get("timestamp")
    at = datetime.fromtimestamp(stamp / 1000, UTC) if isinstance(stamp, int) else request.received_at
    return min(at, request.received_at)


def _issue(told: Mapping[str, Any], at: datetime, settings: JiraSettings) -> TicketChange:
    issue = told["issue"]
    fields = issue.get("fields") or {}
    status, assignee = fields.get("status") or {}, fields.get("assignee", ...)
    return TicketChange(
        ticket=str(issue["id"]),
        at=at,
        status=_status(status, settings),
        store_status=str(status.get("name", "")),
        handler=None if assignee is ... else str((assignee or {}).get("displayName", "")),
    )


def _deleted(told: Mapping[str, Any], at: datetime, settings: JiraSettings) -> TicketChange:
    return TicketChange(ticket=str(told["issue"]["id"]), at=at, status=TicketStatus.CLOSED, store_status="deleted")


def _commented(told: Mapping[str, Any], at: datetime, settings: JiraSettings) -> TicketChange | None:
    """Only Service Management says whom a comment is for; what allears wrote carries its marks."""
    comment = told["comment"]
    is_ours = bool(_MARK.search(plain(comment.get("body") or "")))
    is_customer = (comment.get("author") or {}).get("accountType") == "customer"
    if comment.get("jsdPublic") is not True or is_customer or is_ours or not settings.service_desk:
        return None
    return TicketChange(ticket=str(told["issue"]["id"]), at=at, answered=True)


def _status(status: Mapping[str, Any], settings: JiraSettings) -> TicketStatus | None:
    name = str(status.get("name", ""))
    named = settings.statuses.get(name) or _USUAL.get(name.casefold())
    return named or _CATEGORIES.get(str((status.get("statusCategory") or {}).get("key", "")))


_EVENTS: Mapping[str, Callable[[Mapping[str, Any], datetime, JiraSettings], TicketChange | None]] = {
    "jira:issue_created": _issue,
    "jira:issue_updated": _issue,
    "jira:issue_deleted": _deleted,
    "comment_created": _commented,
}
