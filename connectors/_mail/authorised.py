"""Calls to a mailbox's HTTP API, with an access token that is renewed when it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, InDoubt, Rejected, Unavailable
from allears_sdk.oauth import OAuth
from allears_sdk.remote import Response, check_status
from connectors._mail.source import Gone

AT_ONCE = 3
"""Requests in flight for one mailbox; Microsoft allows an application four."""


class Authorised:
    """What is asked of a mailbox may be asked twice: a lost answer is Unavailable. Only what `once` sends may not."""

    def __init__(self, context: Context, oauth: OAuth, *, timeout_seconds: float) -> None:
        self._context = context
        self._oauth = oauth
        self._timeout_seconds = timeout_seconds
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        cut_at: int = 0,
    ) -> Response:
        """Any answer, whatever its status. With `cut_at` one that is larger (bytes) is cut there, and says so."""
        given: dict[str, Any] = {"params": params, "json": json, "timeout_seconds": self._timeout_seconds}
        given |= {"max_bytes": cut_at, "repeatable": False} if cut_at else {"repeatable": True}
        async with self._gate:
            token = await self._oauth.access_token()
            response = await self._send(method, url, token, headers, given)
            if response.status == 401:
                token = await self._oauth.access_token(stale=token)
                response = await self._send(method, url, token, headers, given)
        return response

    async def once(self, url: str, **given: Any) -> Response:
        """POST what must not happen twice (`headers`, `json`, `content`). Raises InDoubt when the answer is lost; who
        was not let in did nothing, and comes again with another token."""
        async with self._gate:
            token = await self._oauth.access_token()
            response = await self._post_once(url, token, given)
            if response.status == 401:
                token = await self._oauth.access_token(stale=token)
                response = await self._post_once(url, token, given)
        return response

    async def _post_once(self, url: str, token: str, given: Mapping[str, Any]) -> Response:
        headers = {**given.get("headers", {}), "Authorization": f"Bearer {token}"}
        return await self._context.remote.request(
            "POST",
            url,
            **{**given, "headers": headers},
            timeout_seconds=self._timeout_seconds,
            repeatable=False,
            raise_for_status=False,
        )

    async def _send(
        self, method: str, url: str, token: str, headers: Mapping[str, str] | None, given: Mapping[str, Any]
    ) -> Response:
        all_headers = {**(headers or {}), "Authorization": f"Bearer {token}"}
        try:
            return await self._context.remote.request(method, url, headers=all_headers, raise_for_status=False, **given)
        except InDoubt as error:
            raise Unavailable(str(error), detail=error.detail) from None

    def check(self, response: Response) -> None:
        """Raises what the status alone asks for; 2xx passes."""
        try:
            check_status(response, self._context.clock.now())
        except InDoubt as error:
            if not response.call.repeatable and response.call.method == "POST":  # by `once`
                raise
            raise Unavailable(str(error), detail=error.detail) from None


async def for_each(ids: Sequence[str], action: Callable[[str], Awaitable[None]]) -> None:
    """All get their turn, then the gravest failure is raised; what is gone is none."""
    answers = await asyncio.gather(*(_error(action, one) for one in ids))
    errors = [error for error in answers if error is not None]
    if errors:
        raise min(errors, key=lambda error: isinstance(error, Unavailable) + 2 * isinstance(error, Rejected))


async def _error(action: Callable[[str], Awaitable[None]], one: str) -> AllearsError | None:
    try:
        await action(one)
    except Gone:
        return None
    except AllearsError as error:
        return error
    return None
