"""Calls to the server, and what its answers ask for ("Guidelines", "Rate limits")."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from allears_sdk.codec import decode
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, Rejected, Unavailable
from allears_sdk.remote import Response, check_status
from allears_sdk.signing import sha256_hex
from connectors.mastodon.payload import Account, Instance, Status
from connectors.mastodon.settings import MastodonSettings

BURST = 60
MAX_ANSWERS = 40
GONE = frozenset({404, 410})
_RIGHTS = "read:accounts, read:notifications and read:statuses, and to answer write:statuses"

T = TypeVar("T")


class Gone(Rejected):
    """The server does not have it, or not for us."""


class MastodonApi:
    """One account."""

    def __init__(self, settings: MastodonSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._me: Account | None = None
        self._instance: Instance | None = None
        self._account = f"mastodon:{settings.host}:{sha256_hex(settings.access_token.get_secret_value())[:12]}"
        context.remote.limit(self._account, per_second=settings.calls_per_minute / 60, burst=BURST)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._settings.access_token.get_secret_value()}"}

    async def me(self, *, again: bool = False) -> Account:
        if self._me is None or again:
            self._me = await self._ask("accounts/verify_credentials", Account)
        return self._me

    async def instance(self) -> Instance:
        if self._instance is None:
            self._instance = self._read(await self._call("GET", "/api/v2/instance"), Instance)
        return self._instance

    async def streaming_url(self) -> str:
        """The host may be another one ("Hostname discovery")."""
        told = (await self.instance()).configuration.urls.streaming or self._settings.url
        parts = urlsplit(told)
        scheme = {"wss": "https", "ws": "http"}.get(parts.scheme, parts.scheme)
        return f"{scheme}://{parts.netloc}/api/v1/streaming/user"

    async def mentions(self, limit: int, **place: str) -> list[msgspec.Raw]:
        """Newest first. With `min_id` the page next above it; `since_id` would leave a hole."""
        asked = {"types[]": "mention", "limit": limit, "include_filtered": "true", **place}
        return await self._ask("notifications", list[msgspec.Raw], **asked)

    async def own_posts(self, limit: int, **place: str) -> list[msgspec.Raw]:
        me = await self.me()
        asked = {"exclude_reblogs": "true", "limit": min(limit, MAX_ANSWERS), **place}
        return await self._ask(f"accounts/{quote(me.id, safe='')}/statuses", list[msgspec.Raw], **asked)

    async def status(self, status: str) -> Status:
        """Raises Gone."""
        return await self._ask(f"statuses/{quote(status, safe='')}", Status)

    async def post(self, said: dict[str, Any], key: str) -> None:
        """Raises InDoubt when nobody knows. The key would hold off a second one for an hour only."""
        await self._call("POST", "/api/v1/statuses", json=said, headers={"Idempotency-Key": key})

    async def download(self, url: str, max_bytes: int) -> Response:
        """A file: of our server as it is, of any other never from a private network."""
        is_ours = urlsplit(url).netloc.lower() == self._settings.host
        remote = self._context.remote
        return await (
            remote.request("GET", url, max_bytes=max_bytes) if is_ours else remote.fetch_public(url, max_bytes)
        )

    async def _ask(self, path: str, answer: type[T], **given: Any) -> T:
        return self._read(await self._call("GET", f"/api/v1/{path}", params=given), answer)

    def _read(self, response: Response, answer: type[T]) -> T:
        try:
            return decode(response.content, answer)
        except (ValueError, RecursionError) as error:
            raise Unavailable(f"{response.call.place}: not as Mastodon documents it: {error}") from None

    async def _call(self, method: str, path: str, *, headers: dict[str, str] | None = None, **given: Any) -> Response:
        response = await self._context.remote.request(
            method,
            f"{self._settings.url}{path}",
            headers={**self.headers, **(headers or {})},
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            raise_for_status=False,
            **given,
        )
        if response.status == 401:
            raise AuthError("the server refuses access_token: make another in Preferences → Development")
        if response.status == 403:
            raise ConfigError(f"access_token lacks a right, or the account is suspended: it needs {_RIGHTS}")
        if response.status in GONE:
            raise Gone(f"{response.call.place}: {response.status}")
        check_status(response, self._context.clock.now())
        return response
