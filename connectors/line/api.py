"""Calls to the Messaging API, and what its errors ask for ("Status codes")."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import msgspec

from allears_sdk.access_token import AccessToken, Grant
from allears_sdk.codec import decode
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, Unavailable
from allears_sdk.remote import Response, check_status
from connectors.line.settings import LineSettings

GONE = frozenset({404, 410})
_LATER = frozenset({408, 425, 429})
_OVER = "monthly limit"
ENDLESS_SECONDS = 10 * 366 * 86_400


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An error, as the Messaging API or its token service words it."""

    message: str = ""
    error_description: str = ""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    access_token: str
    expires_in: float


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """Of a token."""

    expires_in: int


class Gone(Rejected):
    """LINE does not have it, or not for us."""


class LineApi:
    """One channel."""

    def __init__(self, settings: LineSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._issued = AccessToken(context, ("line", settings.url, settings.channel_id), self._issue)

    @property
    def has_token(self) -> bool:
        return bool(self._settings.channel_id or self._settings.access_token)

    async def ends(self) -> Mapping[str, datetime | None]:
        """Of the token that the settings name ("Verify channel access token"). A long-lived one ends in a century."""
        token, url = {"access_token": await self._token()}, self._settings.url
        response = await self._verified("GET", f"{url}/oauth2/v2.1/verify", params=token)
        if response.status == 400:  # one of another kind
            response = await self._verified("POST", f"{url}/v2/oauth/verify", data=token)
        check_status(response, self._context.clock.now())
        try:
            seconds = decode(response.content, Verified).expires_in
        except ValueError:
            raise Unavailable("LINE does not tell when the token ends") from None
        is_soon = 0 <= seconds < ENDLESS_SECONDS
        return {"access_token": self._context.clock.now() + timedelta(seconds=seconds) if is_soon else None}

    async def get(self, path: str) -> dict[str, Any]:
        response = await self._call("GET", f"{self._settings.url}/v2/bot/{path}")
        return response.json_object()

    async def content(self, message: str, max_bytes: int) -> Response:
        """What a customer sent. Raises Unavailable while LINE still prepares it (large videos and recordings)."""
        path = f"{self._settings.content_url}/v2/bot/message/{quote(message, safe='')}/content"
        response = await self._call("GET", path, max_bytes=max_bytes)
        if response.status != 202:
            return response
        prepared = await self._call("GET", f"{path}/transcoding")
        if b'"failed"' in prepared.content:
            raise Rejected("LINE could not prepare this file")
        raise Unavailable("LINE is still preparing this file")

    async def answer(self, reply_token: str, text: str) -> None:
        """Free, once, soon after the message. Raises Rejected when it is too late, InDoubt when nobody knows."""
        said = {"replyToken": reply_token, "messages": [_text(text)]}
        await self._call("POST", f"{self._settings.url}/v2/bot/message/reply", json=said)

    async def push(self, to: str, text: str, key: str) -> None:
        """Sent once however often it is called with this `key` within a day ("Retrying a failed API request")."""
        headers = {"X-Line-Retry-Key": str(uuid5(NAMESPACE_URL, f"allears:{key}"))}
        said = {"to": to, "messages": [_text(text)]}
        url = f"{self._settings.url}/v2/bot/message/push"
        await self._call("POST", url, json=said, headers=headers, repeatable=True)

    async def _call(self, method: str, url: str, *, headers: dict[str, str] | None = None, **given: Any) -> Response:
        """Answered, or 409: that this was accepted before."""
        token = await self._token()
        response = await self._send(method, url, token, headers or {}, **given)
        if response.status == 401 and self._settings.access_token is None:
            token = await self._issued.get(stale=token)
            response = await self._send(method, url, token, headers or {}, **given)
        if not (200 <= response.status < 300 or response.status == 409):
            raise self._error_of(response)
        return response

    async def _send(self, method: str, url: str, token: str, headers: dict[str, str], **given: Any) -> Response:
        return await self._context.remote.request(
            method,
            url,
            headers={"Authorization": f"Bearer {token}", **headers},
            timeout_seconds=self._settings.timeout_seconds,
            raise_for_status=False,
            **given,
        )

    async def _verified(self, method: str, url: str, **given: Any) -> Response:
        seconds = self._settings.timeout_seconds
        return await self._context.remote.request(
            method, url, timeout_seconds=seconds, repeatable=True, raise_for_status=False, **given
        )

    async def _token(self) -> str:
        given = self._settings.access_token
        if given is not None:
            return given.get_secret_value()
        if not self._settings.channel_id:
            raise ConfigError("channel_id (or access_token) is needed to ask LINE for anything")
        return await self._issued.get()

    async def _issue(self) -> Grant:
        """A stateless token: a quarter of an hour, any number of them."""
        secret = self._settings.channel_secret.get_secret_value()
        asked = {
            "grant_type": "client_credentials",
            "client_id": self._settings.channel_id,
            "client_secret": secret,
        }
        response = await self._context.remote.request(
            "POST",
            f"{self._settings.url}/oauth2/v3/token",
            data=asked,
            timeout_seconds=self._settings.timeout_seconds,
            repeatable=True,
            raise_for_status=False,
        )
        if response.status in (400, 401):
            said = _told(response).replace(secret, "…")
            raise AuthError("LINE does not take channel_id and channel_secret: are both of this channel?", detail=said)
        check_status(response, self._context.clock.now())
        try:
            token = decode(response.content, Token)
        except ValueError as error:
            raise Unavailable(f"LINE's token service answers what it does not document: {error}") from None
        return Grant(token=token.access_token, seconds=token.expires_in)

    def _error_of(self, response: Response) -> AllearsError:
        said, what = _told(response), f"{response.call.place}: {response.status}"
        if response.status == 401:
            return AuthError("LINE refuses the access token: issue another in the console", detail=said)
        if response.status == 403:
            return ConfigError(f"LINE does not permit this: was the channel deleted, or its plan changed? {said}")
        if response.status == 429 and _OVER in said.lower():
            return Rejected("the plan's messages of this month are used up: LINE sends no more pushes", detail=said)
        if response.status in GONE:
            return Gone(f"{what} {said}", detail=said)
        if 400 <= response.status < 500 and response.status not in _LATER:
            return Rejected(f"{what} {said}".rstrip(), detail=said)
        try:
            check_status(response, self._context.clock.now())
        except AllearsError as error:
            return error
        raise AssertionError("a good answer is no error")


def _text(text: str) -> dict[str, str]:
    """LINE counts in UTF-16 code units, 5,000 at most."""
    return {"type": "text", "text": text.encode("utf-16-le")[:10_000].decode("utf-16-le", "ignore")}


def _told(response: Response) -> str:
    try:
        told = decode(response.content, Told)
    except (ValueError, RecursionError):
        return ""
    return (told.message or told.error_description)[:300]
