"""Calls to the Bot API. The token stands in every address: none is ever shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from allears_sdk.codec import decode
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.remote import Response, check_status
from connectors.telegram.payload import Outcome
from connectors.telegram.settings import TelegramSettings

TIMEOUT_SECONDS = 30.0
MAX_ANSWER_BYTES = 32 << 20
WAY_OUT = (
    "give allears a bot of its own, or end the pushes by opening https://api.telegram.org/bot<token>/deleteWebhook; to "
    "be pushed to, set webhook_url and webhook_secret"
)
_FORBIDDEN = 403

T = TypeVar("T")


class Forbidden(Rejected):
    """Blocked by the user, or not a member of the chat any more."""


class Moved(Rejected):
    """The group has become a supergroup, with another id."""

    def __init__(self, chat: int) -> None:
        super().__init__("the group has another id by now")
        self.chat = chat


class BotApi:
    """One bot at one Bot API server."""

    def __init__(self, settings: TelegramSettings, context: Context) -> None:
        self._url = settings.url
        self._token = settings.token.get_secret_value()
        self._context = context

    async def ask(
        self, method: str, answer: type[T], given: Mapping[str, Any] | None = None, *, wait_seconds: float = 0.0
    ) -> T:
        """A method that may be called twice; its result as `answer`. Telegram may hold it back for `wait_seconds`."""
        result = await self._call(
            method, given or {}, is_repeatable=True, timeout_seconds=TIMEOUT_SECONDS + wait_seconds
        )
        try:
            return decode(bytes(result), answer)
        except ValueError as error:
            raise Unavailable(f"{method}: not as the Bot API documents it: {error}") from None

    async def send(self, method: str, given: Mapping[str, Any]) -> None:
        """A method that says something to somebody: called once. Raises InDoubt when the answer is lost."""
        await self._call(method, given, is_repeatable=False, timeout_seconds=TIMEOUT_SECONDS)

    async def download(self, path: str, max_bytes: int) -> bytes:
        """Raises Rejected for what is larger, gone or refused."""
        url = f"{self._url}/file/bot{self._token}/{quote(path)}"
        response = await self._context.remote.request("GET", url, max_bytes=max_bytes, raise_for_status=False)
        if response.status == 404:
            raise Rejected("Telegram does not have this file any more")
        check_status(response, self._context.clock.now())
        return response.content

    async def _call(
        self, method: str, given: Mapping[str, Any], *, is_repeatable: bool, timeout_seconds: float
    ) -> msgspec.Raw:
        response = await self._context.remote.request(
            "POST",
            f"{self._url}/bot{self._token}/{method}",
            json=given,
            timeout_seconds=timeout_seconds,
            repeatable=is_repeatable,
            max_bytes=MAX_ANSWER_BYTES,
            raise_for_status=False,
        )
        outcome = self._outcome(response, method)
        if not outcome.ok:
            raise _fault(method, outcome, response)
        return outcome.result

    def _outcome(self, response: Response, method: str) -> Outcome:
        try:
            return decode(response.content, Outcome)
        except ValueError:
            check_status(response, self._context.clock.now())  # a proxy's own page, most likely
            lost = Unavailable if response.call.repeatable else InDoubt
            raise lost(f"{method}: {response.status} whose body is not the Bot API's") from None


def _fault(method: str, outcome: Outcome, response: Response) -> AllearsError:
    """The reaction that an error asks for ("Making requests", and the server's own source for 409)."""
    code, said = outcome.error_code or response.status, outcome.description[:300]
    parameters = outcome.parameters
    if parameters is not None and parameters.migrate_to_chat_id:
        return Moved(parameters.migrate_to_chat_id)
    if code in (401, 404):
        return AuthError("Telegram does not know this token: copy it again from @BotFather", detail=said)
    if code == 409:
        return _conflict(said)
    if code == 429:
        after = parameters.retry_after if parameters is not None else 0
        return RetryLater(f"{method}: Telegram asks to come back later", after_seconds=after or None, detail=said)
    if code >= 500:
        lost = Unavailable if response.call.repeatable else InDoubt
        return lost(f"{method}: {code}", detail=said)
    return (Forbidden if code == _FORBIDDEN else Rejected)(f"{method}: {code} {said}", detail=said)


def _conflict(said: str) -> AllearsError:
    if "webhook" in said.lower():
        return ConfigError(f"this bot's messages are pushed elsewhere and not handed out: {WAY_OUT}", detail=said)
    return Unavailable(
        "another program reads this bot's messages, and what it takes is lost here: stop it, or give allears a bot of "
        "its own",
        detail=said,
    )
