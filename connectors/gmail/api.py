"""The Gmail API: how it is asked, and what its errors mean ("Resolve errors", "Usage limits")."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.oauth import OAuth
from allears_sdk.remote import Response
from connectors._mail.authorised import Authorised
from connectors._mail.source import Gone
from connectors.gmail.settings import GmailSettings

_LATER = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "RATE_LIMIT_EXCEEDED"})
_TOMORROW = frozenset({"dailyLimitExceeded"})
_TOMORROW_SECONDS = 3600.0
_NOT_GRANTED = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})
_ADVICE = {
    "accessNotConfigured": "switch the Gmail API on in the Google Cloud project",
    "SERVICE_DISABLED": "switch the Gmail API on in the Google Cloud project",
    "domainPolicy": "the domain's administrator does not let applications use Gmail",
    "failedPrecondition": "Gmail is not switched on for this account",
    "delegationDenied": "the service account is not delegated to this mailbox",
}
_RETRY_AFTER = re.compile(r"[Rr]etry after (\d{4}-\d\d-\d\dT[\d:.]+Z)")


class GmailApi:
    """One mailbox: the account that has logged in, or that a service account acts for."""

    def __init__(self, settings: GmailSettings, context: Context) -> None:
        self.settings = settings
        self.oauth = OAuth(context, settings.oauth, settings.scopes, account=settings.mailbox)
        self._calls = Authorised(context, self.oauth, timeout_seconds=settings.timeout_seconds)
        self._clock = context.clock
        self._base = f"{settings.url}/gmail/v1/users/me"

    async def get(self, path: str, *, cut_at: int = 0, **params: Any) -> Mapping[str, Any] | None:
        """None for an answer that was cut at `cut_at` bytes."""
        given = {name: value for name, value in params.items() if value not in ("", None)}
        response = await self._calls.call("GET", f"{self._base}/{path}", params=given, cut_at=cut_at)
        self._check(response)
        return None if response.is_cut else _object(response)

    async def read(self, path: str, **params: Any) -> Mapping[str, Any]:
        return await self.get(path, **params) or {}

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        response = await self._calls.call("POST", f"{self._base}/{path}", json=body)
        self._check(response)
        return _object(response) if response.content else {}

    async def send(self, mail: bytes) -> None:
        """Raises InDoubt when it may have been sent."""
        raw = base64.urlsafe_b64encode(mail).decode()
        self._check(await self._calls.once(f"{self._base}/messages/send", json={"raw": raw}))

    def _check(self, response: Response) -> None:
        if 200 <= response.status < 300:
            return
        reasons, message = _error(response)
        what = f"{response.call.place}: {response.status} {', '.join(reasons)}".rstrip()
        named = self._named(response.status, reasons, what, message)
        if named is not None:
            raise named
        try:
            self._calls.check(response)
        except RetryLater as error:
            if error.after_seconds is None:
                error.after_seconds = self._wait(message)
            raise

    def _named(self, status: int, reasons: list[str], what: str, message: str) -> AllearsError | None:
        if status == 401:
            return AuthError(f"Google refuses the access token ({what})", detail=message)
        if status == 404:
            return Gone(what, detail=message)
        if status == 403 and _LATER & {*reasons}:
            return RetryLater(what, after_seconds=self._wait(message), detail=message)
        if status == 403 and _TOMORROW & {*reasons}:
            return RetryLater(what, after_seconds=_TOMORROW_SECONDS, detail=message)
        if status == 403 and _NOT_GRANTED & {*reasons}:
            scope = self.settings.scopes[0]
            return AuthError(f"the login does not cover {scope}: log in again and grant it ({what})", detail=message)
        if status == 403 or (status == 400 and "failedPrecondition" in reasons):
            advice = next((_ADVICE[reason] for reason in reasons if reason in _ADVICE), "permission is missing")
            return ConfigError(f"Gmail refuses {self.settings.mailbox}: {advice} ({what})", detail=message)
        return None

    def _wait(self, message: str) -> float | None:
        """Gmail writes the time into its message: `User-rate limit exceeded.  Retry after 2026-11-22T04:10:00Z`."""
        found = _RETRY_AFTER.search(message)
        if found is None:
            return None
        try:
            until = datetime.fromisoformat(found[1])
        except ValueError:
            return None
        return min(max((until - self._clock.now()).total_seconds(), 0.0), 86_400.0)


def _object(response: Response) -> Mapping[str, Any]:
    body = response.json()
    if not isinstance(body, dict):
        raise Unavailable(f"{response.call.place}: the answer is not what Gmail documents")
    return body


def _error(response: Response) -> tuple[list[str], str]:
    """Google's reasons, old style and new, and its own words."""
    try:
        error = response.json()["error"]
        reasons = [*_reasons(error.get("errors")), *_reasons(error.get("details"))]
        return list(dict.fromkeys(reasons)), str(error.get("message", ""))[:300]
    except (AllearsError, KeyError, TypeError, AttributeError):
        return [], response.text()[:300]


def _reasons(items: Any) -> Iterable[str]:
    found = [item.get("reason") for item in items or () if isinstance(item, dict)]
    return [str(reason)[:60] for reason in found if reason]
