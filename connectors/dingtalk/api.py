"""Calls to the open platform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from allears_sdk.access_token import AccessToken, Grant
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable, Void
from allears_sdk.remote import Response, check_status
from connectors.dingtalk.settings import DingTalkSettings
from connectors.dingtalk.stream import TOPIC

_CALLS_PER_SECOND = 10.0
_BUSY_SECONDS = 10.0
_BUSY_WORDS = ("qps", "throttl", "flowcontrol", "limit")
_ANSWERED = 0
_TOO_FAST = 130101


class StaleToken(AuthError):
    """DingTalk takes the access token no more."""


class DingTalkApi:
    def __init__(self, settings: DingTalkSettings, context: Context) -> None:
        self.settings = settings
        self.context = context
        self._token = AccessToken(context, ("dingtalk", settings.url, settings.client_id), self._grant)
        self._account = f"dingtalk:{settings.url}:{settings.client_id}"
        context.remote.limit(self._account, per_second=_CALLS_PER_SECOND, burst=int(_CALLS_PER_SECOND))

    async def open_stream(self) -> str:
        """The address of a connection. It holds a ticket that is good for one."""
        body = {
            "clientId": self.settings.client_id,
            "clientSecret": self.settings.client_secret.get_secret_value(),
            "subscriptions": [{"type": "CALLBACK", "topic": TOPIC}],
            "ua": "allears",
            "localIp": "127.0.0.1",
        }
        answer = await self._login("/v1.0/gateway/connections/open", body)
        endpoint, ticket = answer.get("endpoint"), answer.get("ticket")
        if not isinstance(endpoint, str) or not isinstance(ticket, str) or not endpoint:
            raise Unavailable("DingTalk gave no address for Stream mode")
        return f"{endpoint}?ticket={quote_plus(ticket)}"

    async def prove(self) -> None:
        """Raises AuthError for credentials that are refused."""
        await self._token.get()

    async def download(self, code: str, robot: str, max_bytes: int) -> Response:
        """Raises Rejected for what is gone or larger."""
        answer = await self._call("/v1.0/robot/messageFiles/download", {"downloadCode": code, "robotCode": robot})
        url = answer.get("downloadUrl")
        if not isinstance(url, str) or not url:
            raise Rejected("DingTalk has this file no more")
        return await self.context.remote.request(
            "GET", url, max_bytes=max_bytes, timeout_seconds=self.settings.timeout_seconds
        )

    async def say(self, url: str, body: Mapping[str, Any]) -> None:
        """Post into a conversation. Raises Void where it cannot be answered any more, Rejected, InDoubt."""
        if not url.startswith(f"{self.settings.answer_url}/"):
            raise Rejected("the address for the answer is not DingTalk's: see answer_url")
        response = await self._send(url, body, repeatable=False)
        check(response, self.context.clock.now())
        answer = response.json()
        code = answer.get("errcode") if isinstance(answer, dict) else None
        if code != _ANSWERED:
            raise _said_no(code, str(answer.get("errmsg", ""))[:300] if isinstance(answer, dict) else "")

    async def _call(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        token = await self._token.get()
        try:
            return await self._authorised(token, path, body)
        except StaleToken:
            return await self._authorised(await self._token.get(stale=token), path, body)

    async def _authorised(self, token: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        headers = {"x-acs-dingtalk-access-token": token}
        response = await self._send(f"{self.settings.url}{path}", body, repeatable=True, headers=headers)
        check(response, self.context.clock.now())
        return _object(response)

    async def _grant(self) -> Grant:
        body = {"appKey": self.settings.client_id, "appSecret": self.settings.client_secret.get_secret_value()}
        answer = await self._login("/v1.0/oauth2/accessToken", body)
        token, seconds = answer.get("accessToken"), answer.get("expireIn")
        if not isinstance(token, str) or not isinstance(seconds, int):
            raise Unavailable("DingTalk's answer holds no access token")
        return Grant(token=token, seconds=seconds)

    async def _login(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Id and secret go with it: whatever DingTalk has against such a request, it is they."""
        response = await self._send(f"{self.settings.url}{path}", body, repeatable=True)
        try:
            check(response, self.context.clock.now())
        except (Rejected, StaleToken) as error:
            text = f"DingTalk refuses client_id and client_secret of {self.settings.client_id}"
            raise AuthError(text, detail=error.detail) from None
        return _object(response)

    async def _send(
        self, url: str, body: Mapping[str, Any], *, repeatable: bool, headers: Mapping[str, str] | None = None
    ) -> Response:
        return await self.context.remote.request(
            "POST",
            url,
            json=dict(body),
            headers=headers,
            repeatable=repeatable,
            timeout_seconds=self.settings.timeout_seconds,
            account=self._account,
            raise_for_status=False,
        )


def check(response: Response, now: Any) -> None:
    """Raises what a refusal asks for. DingTalk names it in `code`, in words."""
    if 200 <= response.status < 300:
        return
    code, text = _told(response)
    what = f"{response.call.place}: {response.status} {code}".rstrip()
    if response.status == 401:
        raise StaleToken(f"DingTalk refuses the access token ({what})", detail=text)
    if response.status < 500 and response.status != 429 and any(word in code.lower() for word in _BUSY_WORDS):
        raise RetryLater(what, after_seconds=_BUSY_SECONDS, detail=text)
    if response.status == 403:
        raise ConfigError(f"grant the app the permission that DingTalk names, in the console ({what})", detail=text)
    if response.status in (400, 404):
        raise Rejected(f"DingTalk refuses it ({code or response.status})", detail=text)
    check_status(response, now)


def _told(response: Response) -> tuple[str, str]:
    try:
        body = _object(response)
    except AllearsError:
        return "", ""
    return str(body.get("code", ""))[:100], str(body.get("message", ""))[:300]


def _object(response: Response) -> dict[str, Any]:
    body = response.json()
    if not isinstance(body, dict):
        raise Unavailable("DingTalk's answer is not what it documents")
    return body


def _said_no(code: object, text: str) -> AllearsError:
    """The codes of this call are documented for other robots only; a session's end is known by its words."""
    if not isinstance(code, int):
        return InDoubt("DingTalk's answer is not what it documents", detail=text)
    if code == _TOO_FAST:
        return RetryLater(f"DingTalk: too many answers ({code})", after_seconds=60.0, detail=text)
    if any(word in text.lower() for word in ("session", "expire", "过期", "会话")):
        return Void(f"the conversation can be answered no more ({code})", detail=text)
    return Rejected(f"DingTalk refuses the answer ({code})", detail=text)
