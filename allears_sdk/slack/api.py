"""One installation of the app: a workspace, as its bot token sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allears_sdk.context import Context
from allears_sdk.errors import Rejected, RetryLater
from allears_sdk.remote import Response, check_status
from allears_sdk.signing import sha256_hex
from allears_sdk.slack.faults import LIMITED, error_of

if TYPE_CHECKING:
    from allears_sdk.slack.web import WebClient

METHODS = {
    "auth.test": 1.0,
    "apps.connections.open": 1.0,
    "chat.postMessage": 1.0,
    "conversations.history": 1.0,
    "conversations.replies": 1.0,
    "files.info": 2.0,
    "users.conversations": 1.0,
    "users.info": 2.0,
}
"""How many times the pace of `calls_per_minute`: tiers 3 (50 a minute) and 4 (100). "Rate limits"."""
_POSTED = frozenset({"auth.test", "apps.connections.open", "chat.postMessage"})
DOWNLOAD_SECONDS = 120.0
_BURST = 15
_GONE = frozenset({404, 410})
_HOLD_SECONDS = 30.0


class Api:
    """Slack's Web API with one token. A method that is limited is not called again before its time."""

    def __init__(self, token: str, context: Context, *, url: str, calls_per_minute: float) -> None:
        self._token = token
        self._url = url
        self._calls_per_minute = calls_per_minute
        self._context = context
        self._account = f"slack {sha256_hex(token)[:12]}"
        self._held: dict[str, float] = {}
        self._client: WebClient | None = None

    async def call(self, method: str, **given: Any) -> Mapping[str, Any]:
        """The answer, where it is `ok`. Raises what its error asks for; RetryLater while the method is held."""
        from slack_sdk.errors import SlackApiError

        left = self._held.get(method, 0.0) - self._context.clock.monotonic()
        if left > 0:
            raise RetryLater(f"{method}: called too often", after_seconds=left)
        is_posted = method in _POSTED
        payload = {"json" if method == "chat.postMessage" else "params": given}
        try:
            response = await self._made().api_call(method, http_verb="POST" if is_posted else "GET", **payload)
        except SlackApiError as error:
            raise self._error(method, error.response.data) from None
        except RetryLater as error:
            raise self._limited(method, error) from None
        data = response.data
        return {**data, "_scopes": response.headers.get("x-oauth-scopes", "")} if isinstance(data, dict) else {}

    async def download(self, url: str, max_bytes: int) -> Response:
        """A file's bytes. Raises Rejected when it is larger, gone or refused."""
        response = await self._context.remote.request(
            "GET",
            url,
            headers={"Authorization": f"Bearer {self._token}"},
            timeout_seconds=DOWNLOAD_SECONDS,
            max_bytes=max_bytes,
            raise_for_status=False,
        )
        if response.status in _GONE:
            raise Rejected(f"Slack no longer has this file ({response.status})")
        check_status(response, self._context.clock.now())
        return response

    def _error(self, method: str, answer: Any) -> Exception:
        answer = answer if isinstance(answer, dict) else {}
        error = error_of(method, answer, is_repeatable=method != "chat.postMessage")
        is_limited = isinstance(error, RetryLater) and answer.get("error") in LIMITED
        return self._limited(method, error) if is_limited else error

    def _limited(self, method: str, error: Any) -> RetryLater:
        seconds = _HOLD_SECONDS if error.after_seconds is None else error.after_seconds
        self._held[method] = self._context.clock.monotonic() + seconds
        return RetryLater(str(error), after_seconds=seconds)

    def _made(self) -> WebClient:
        if self._client is None:
            from allears_sdk.slack.web import WebClient

            per_second = self._calls_per_minute / 60
            for method, pace in METHODS.items():
                name = f"{self._account} {method}"
                self._context.remote.limit(name, per_second=pace * per_second, burst=_BURST)
            self._client = WebClient(self._context.remote, self._token, self._url, self._account)
        return self._client


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """What `auth.test` tells."""

    team: str
    team_name: str
    url: str
    """`https://acme.slack.com/`"""
    user: str
    """Of the bot."""
    bot: str
    name: str
    scopes: tuple[str, ...] = ()


async def ask_who(api: Api) -> Who:
    answer = await api.call("auth.test")
    return Who(
        team=str(answer.get("enterprise_id" if answer.get("is_enterprise_install") else "team_id") or ""),
        team_name=str(answer.get("team", "")),
        url=str(answer.get("url", "")),
        user=str(answer.get("user_id", "")),
        bot=str(answer.get("bot_id", "")),
        name=str(answer.get("user", "")),
        scopes=tuple(scope.strip() for scope in str(answer["_scopes"]).split(",") if scope.strip()),
    )
