"""Makes the calls that the settings describe."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from allears_sdk.codec import encode
from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, RetryLater, TicketGone
from allears_sdk.remote import PrivateAddress, Response
from allears_sdk.remote.answers import lost
from allears_sdk.signing import sign_standard
from allears_sdk.sink import Certainty, Progress, SinkSpec, Ticket
from allears_sdk.tickets import NOBODYS_KEY, Limits, TicketSink, View, answered, marks_in
from allears_sdk.tickets.facts import facts_of
from sink.json_post.settings import CallSettings, JsonPostSettings, LookUpSettings
from sink.json_post.template import fill, finish

_BUSY_SECONDS = 30.0
_MOVED = frozenset({301, 308})


class JsonPostSink(TicketSink[JsonPostSettings]):
    """One call per ticket and per follow-up."""

    spec: ClassVar[SinkSpec] = SinkSpec(
        kind="json_post",
        title_en="JSON POST (no-code platforms)",
        title_zh="JSON POST（无代码平台）",
        open_certainty=Certainty.D,
        follow_up_certainty=Certainty.D,
        verified="an aiohttp server; of the examples only the shapes",
        verified_zh="aiohttp 服务器；示例只核对了格式",
    )
    Settings = JsonPostSettings
    limits = Limits(subject_chars=200, text_chars=20_000)

    def __init__(self, settings: JsonPostSettings, context: Context) -> None:
        super().__init__(settings, context)
        if settings.find is not None:
            looking = replace(type(self).spec, open_certainty=Certainty.B, follow_up_certainty=Certainty.B)
            self.spec = looking  # type: ignore[misc]  # one kind, whose class its settings decide

    async def check(self) -> Identity:
        """A look-up for what is not there proves the login and the paths; without one, any answer to a HEAD will do."""
        if self.settings.find is not None:
            if await self.find(NOBODYS_KEY) is not None:
                raise ConfigError("find finds a key that no ticket has")
            return Identity(account=self.settings.find.url.partition("?")[0], details=("looks tickets up",))
        answer = await self._guarded("HEAD", self.settings.create.url, raise_for_status=False)
        return Identity(
            account=answer.call.place.partition(" ")[2],
            details=(f"answers HEAD with {answer.status}", "looks nothing up: a doubt waits for a person"),
        )

    def compose(self, view: View) -> Any:
        ticket_key = view.key if view.is_opening else view.key.rpartition("-")[0]
        facts = {
            **facts_of(view.record),
            "subject": view.subject,
            "text": view.text,
            "key": view.key,
            "ticket_key": ticket_key,
            "field": dict(view.fields),
            "urgency": view.priority,
            "language": view.language,
            "sequence": view.event.sequence,
            "kind": view.event.kind.value,
        }
        return fill((self.settings.create if view.is_opening else self.settings.add).body, facts)

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        answer = await self._post(self.settings.create, request, key)
        path = self.settings.answer.id
        return Ticket(id=str(_at(answer, path)) if path else key, facts={"key": key})

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        await self._post(self.settings.add, request, key, ticket.id)

    async def find(self, key: str) -> Ticket | None:
        there = self.settings.find
        if there is None:
            raise NotImplementedError
        async for row in self._rows(there, {"key": key, "ticket_key": key}, key):
            return Ticket(id=str(_value(row, there.id)), facts={"key": key})
        return None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        there = self.settings.find_notes
        if there is None or self.settings.find is None:
            raise NotImplementedError
        key = str(ticket.facts["key"])
        asked = {"key": key, "ticket_key": key}
        texts = [str(_value(row, there.text)) async for row in self._rows(there, asked, key, ticket.id)]
        if self.settings.find.text:
            texts += [
                str(_value(row, self.settings.find.text)) async for row in self._rows(self.settings.find, asked, key)
            ]
        return marks_in(texts, marks)

    # Calls

    async def _rows(
        self, there: LookUpSettings, facts: Mapping[str, str], key: str, ticket: str = ""
    ) -> AsyncIterator[Any]:
        """Those that bear the key."""
        answer = await self._post(there, fill(there.body, facts), key, ticket, repeatable=True)
        rows = _at(answer, there.rows)
        if not isinstance(rows, list):
            raise ConfigError(f'rows = "{there.rows}": no list stands there in the answer of {answer.call.place}')
        for row in rows:
            if str(_value(row, there.key)) == key:
                yield row

    async def _post(
        self, call: CallSettings, body: Any, key: str, ticket: str = "", *, repeatable: bool = False
    ) -> Response:
        content = encode(finish(body, ticket, self._secret))
        answer = await self._guarded(
            "POST", call.url, headers=self._headers(content, key), content=content, repeatable=repeatable
        )
        self._check_said(answer)
        return answer

    async def _guarded(self, method: str, url: str, **given: Any) -> Response:
        try:
            if method == "HEAD":
                return await self.context.remote.request(
                    method, url, allow_private=self.settings.allow_private_network, **given
                )
            return await self.call(method, url, allow_private=self.settings.allow_private_network, **given)
        except PrivateAddress as error:
            raise ConfigError(f"{error}; set allow_private_network = true if that is meant") from None

    def check_answer(self, answer: Response) -> None:
        if answer.status in _MOVED:
            raise ConfigError(f"{answer.call.place}: {answer.status}, it has moved; set the new url")
        super().check_answer(answer)

    def _check_said(self, answer: Response) -> None:
        """What stands in an answer that is a 2xx by its status."""
        rules = self.settings.answer
        if not rules.ok:
            return
        said = _at(answer, rules.ok)
        if not _is_in(said, rules.ok_values):
            raise self._error(said, answer)

    def _error(self, said: Any, answer: Response) -> AllearsError:
        rules, detail = self.settings.answer, answer.text()[:300]
        what = f"{answer.call.place}: {str(said)[:80]}"
        if _is_in(said, rules.busy_values):
            return RetryLater(what, after_seconds=_BUSY_SECONDS, detail=detail)
        if _is_in(said, rules.login_values):
            return AuthError(what, detail=detail)
        if _is_in(said, rules.gone_values):
            return TicketGone(what, detail=detail)
        return Rejected(what, detail=detail) if isinstance(said, str | int | float | bool) else lost(what, answer.call)

    def _headers(self, content: bytes, key: str) -> dict[str, str]:
        headers = {name: value.get_secret_value() for name, value in self.settings.headers.items()}
        headers["content-type"] = "application/json; charset=utf-8"
        secret = self.settings.signing_secret
        if secret is None:
            return headers
        timestamp = int(self.context.clock.now().timestamp())
        signature = sign_standard([secret.get_secret_value()], key, timestamp, content)
        return {
            **headers,
            "webhook-id": key,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature,
        }

    def _secret(self, name: str) -> str:
        return self.settings.secrets[name].get_secret_value()


def _steps(path: str) -> list[str | int]:
    return [int(step) if step.isdecimal() else step for step in path.split(".")] if path else []


def _at(answer: Response, path: str) -> Any:
    """Raises InDoubt where nothing stands there: the call may have done its work."""
    return answered(answer, *_steps(path))


def _value(row: Any, path: str) -> Any:
    try:
        for step in _steps(path):
            row = row[step]
    except (LookupError, TypeError):
        return ""
    return row


def _is_in(said: Any, values: Collection[Any]) -> bool:
    """1 is not true here, nor 0 false."""
    return any(said == value and isinstance(said, bool) == isinstance(value, bool) for value in values)
