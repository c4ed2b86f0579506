"""Calls of the Graph API with one token: pages, limits, errors, files."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, OverBudget, Rejected, Unavailable
from allears_sdk.expiry import Expiry
from allears_sdk.quota import PERCENT, Quota
from allears_sdk.remote import Response, check_status
from allears_sdk.signing import hmac_hex, sha256_hex
from connectors._meta.faults import error_of, told
from connectors._meta.settings import MetaSettings

MAX_ANSWER_BYTES = 16 << 20
MAX_PAGES = 1000
"""In one list: a cursor that goes in a circle ends somewhere."""
REST = timedelta(minutes=10)
RENEW = "make a new token in Meta's console, best that of a system user, which does not end"
_LATEST = 32_503_680_000
"""In the year 3000."""
CALLS_PER_SECOND = 10.0


class Graph:
    def __init__(self, settings: MetaSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._token = settings.token
        self._expiry = Expiry(context, self._ends, advice=RENEW)
        self._account = f"meta {sha256_hex(self._token)[:16]}"
        context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=10)

    @property
    def has_token(self) -> bool:
        return bool(self._token)

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        """`path` is made of ids and edges. Raises Gone where there is no such thing."""
        return (await self._call("GET", path, params=params)).json_object()

    async def post(self, path: str, given: Mapping[str, Any], *, repeatable: bool = False) -> dict[str, Any]:
        """Raises InDoubt when it may have been done, unless it may be done twice."""
        return (await self._call("POST", path, json=dict(given), repeatable=repeatable)).json_object()

    async def pages(self, path: str, **params: Any) -> AsyncGenerator[list[dict[str, Any]], None]:
        """The pages of a list, none of them while too much of the hourly limit is used: raises RetryLater."""
        after: dict[str, Any] = {}
        for _ in range(MAX_PAGES):
            self._check_usage()
            answer = await self.get(path, **params, **after)
            found = answer.get("data")
            if not isinstance(found, list):
                raise Unavailable(f"{path}: a list that is none")
            yield [one for one in found if isinstance(one, dict)]
            cursor = _next(answer)
            if not cursor or cursor == after.get("after"):
                return
            after = {"after": cursor}
        self._context.log.warning("list_cut", path=path, pages=MAX_PAGES)  # what else there is to read shall not wait

    async def look_at_token(self) -> None:
        """When it ends, once a day ("Debug a Token")."""
        await self._expiry.look()

    async def _ends(self) -> Mapping[str, datetime | None]:
        told = (await self.get("debug_token", input_token=self._token)).get("data")
        facts = told if isinstance(told, dict) else {}
        named = {"access_token": "expires_at", "data access": "data_access_expires_at"}
        return {name: _moment(facts.get(field)) for name, field in named.items()}

    async def download(self, url: str, max_bytes: int, *, is_ours: bool) -> Response:
        """A file at an address that Meta named. `is_ours`: it asks for the token, as WhatsApp's do."""
        if urlsplit(url).scheme != "https" and urlsplit(url).netloc != urlsplit(self._settings.url).netloc:
            raise Rejected("Meta named no address of a file")
        response = await self._context.remote.request(
            "GET",
            url,
            headers=self._headers() if is_ours else {},
            max_bytes=max_bytes,
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            allow_private=urlsplit(url).netloc == urlsplit(self._settings.url).netloc,
            raise_for_status=False,
        )
        self._check(response, "the file")
        return response

    def _check_usage(self) -> None:
        usage, now = self._context.accounts.told(self._account, PERCENT), self._context.clock.now()
        if usage is None or not self._is_much(usage):
            return
        until = usage.told_at + REST
        if now < until:
            text = f"{100 - usage.left:.0f} % of Meta's hourly limit is used: reading rests"
            raise OverBudget(text, after_seconds=(until - now).total_seconds(), until=until)

    async def _call(self, method: str, path: str, **given: Any) -> Response:
        if not self._token:
            raise ConfigError("access_token is not set: files, names, answers and reading back need it")
        if self._settings.send_proof:
            proof = hmac_hex(self._settings.secrets[0], self._token)
            given = {**given, "params": {**given.get("params", {}), "appsecret_proof": proof}}
        before = self._context.accounts.told(self._account, PERCENT)
        response = await self._context.remote.request(
            method,
            f"{self._settings.url}/{self._settings.graph_version}/{quote(path)}",
            **{"max_bytes": MAX_ANSWER_BYTES, **given},
            headers=self._headers(),
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            raise_for_status=False,
        )
        self._warn_of_usage(before)
        self._check(response, path)
        return response

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def _is_much(self, usage: Quota | None) -> bool:
        return usage is not None and 100 - usage.left > self._settings.max_usage_percent

    def _warn_of_usage(self, before: Quota | None) -> None:
        """Once, when it becomes much. Whoever shares the token reads it off the same quota."""
        usage = self._context.accounts.told(self._account, PERCENT)
        if usage is not None and self._is_much(usage) and not self._is_much(before):
            used = 100 - usage.left
            self._context.log.warning("quota_low", used_percent=used, rests_seconds=REST.total_seconds())

    def _check(self, response: Response, what: str) -> None:
        error = told(response)
        if error is not None:
            said = error.message.replace(self._token or "\0", "…")  # "Malformed access token …"
            raise error_of(msgspec.structs.replace(error, message=said), response, what)
        check_status(response, self._context.clock.now())


def _moment(value: Any) -> datetime | None:
    """Unix time; 0 is never."""
    is_time = isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LATEST
    return datetime.fromtimestamp(value, UTC) if is_time else None


def _next(answer: Mapping[str, Any]) -> str:
    """Cursors live for a while only: none is kept."""
    paging = answer.get("paging")
    if not isinstance(paging, dict) or not paging.get("next"):
        return ""
    cursors = paging.get("cursors")
    return str(cursors.get("after") or "") if isinstance(cursors, dict) else ""
