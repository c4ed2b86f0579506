"""The base of every sink that writes to a store of tickets over HTTP: what is left are the store's own calls."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, TypeVar

import msgspec

from allears_sdk.codec import decode, encode
from allears_sdk.complaint import AttachedFile, Event
from allears_sdk.errors import InDoubt, Rejected, TicketGone, Unavailable
from allears_sdk.remote import Response, check_status
from allears_sdk.sink import Progress, Sink, Ticket
from allears_sdk.tickets.settings import StoreValue, TextSettings
from allears_sdk.tickets.view import Limits, View, make_view

S = TypeVar("S", bound=TextSettings)

NOBODYS_KEY = "ALE-0000-0000-0000-CHECK0"
"""A key that no ticket has: `check` looks it up, to see that the look-up is understood."""


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """What is frozen: the store's request, and which files go with it."""

    complaint: str
    request: Any
    """What `compose` made, as JSON reads it."""
    files: tuple[AttachedFile, ...] = ()


class TicketSink(Sink[S]):
    """Subclasses say what the store takes (`limits`, `priorities`), make requests (`compose`, pure) and send them
    (`create`, `add`); classes B and C look up (`find`, `find_follow_ups`). Where files can only be added to a ticket
    that is there, they come in `attach`."""

    limits: Limits = Limits()
    """Of the kind; where an admin knows better, a destination sets its own in `__init__`."""
    priorities: ClassVar[Mapping[str, StoreValue]] = {}
    """The store's words for P1 to P4."""

    async def start(self) -> None:
        if self.settings.requests_per_minute:
            self.context.remote.limit(self._account, per_second=self.settings.requests_per_minute / 60)

    def render(self, event: Event, key: str) -> bytes:
        link = partial(self._link, event.at)
        view = make_view(event, key, self.settings, self.limits, dict(self.priorities), link)
        return encode(Payload(complaint=event.complaint_id, request=self.compose(view), files=view.files))

    @abstractmethod
    def compose(self, view: View) -> Any:
        """The request as JSON can hold it, without the files: of a ticket where `view.is_opening`, else of a follow-up.
        Raises Rejected."""

    @abstractmethod
    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        """Make the ticket."""

    @abstractmethod
    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        """Add the follow-up."""

    async def attach(self, ticket: Ticket, files: Sequence[AttachedFile], key: str, progress: Progress) -> None:
        """Put files into a ticket that is there, each once: look first which are there (by name and size, or by what
        `progress.note` says). Only for stores that cannot take them with the request; `create` and `add` then leave
        them alone."""

    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        made = unpack(payload)
        return await self.create(made.request, made.files, key, progress)

    async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        made = unpack(payload)
        await self.add(ticket, made.request, made.files, key, progress)

    async def complete(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        made = unpack(payload)
        if made.files:
            await self.attach(ticket, made.files, key, progress)

    # For subclasses

    async def bytes_of(self, key: str, file: AttachedFile) -> bytes:
        """An attachment's content; `key` is that of the operation. Raises Rejected when it is no more."""
        return await self.context.files.read(key[: len("ALE-XXXX-XXXX-XXXX")], file)

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        gone: Iterable[int] = (),
        repeatable: bool | None = None,
        **body: Any,
    ) -> Response:
        """One request (`params`, `json`, `content`, `data`, `files` as `Remote.request` takes them). A status in `gone`
        raises TicketGone, any other but 2xx what `Remote` makes of it."""
        answer = await self.context.remote.request(
            method,
            url,
            headers=headers,
            timeout_seconds=self.settings.timeout_seconds,
            repeatable=repeatable,
            account=self._account,
            raise_for_status=False,
            **body,
        )
        if answer.status in gone:
            raise TicketGone(f"{answer.call.place}: {answer.status}", detail=answer.text()[:500])
        self.check_answer(answer)
        return answer

    def check_answer(self, answer: Response) -> None:
        """Where a store means something else by a status: look first, then call this one."""
        check_status(answer, self.context.clock.now())

    @property
    def _account(self) -> str:
        return f"destination:{self.context.name}"

    def _link(self, at: datetime, complaint_id: str, file: AttachedFile, within: timedelta) -> str:
        return self.context.files.link(complaint_id, file, at + within)


def unpack(payload: bytes) -> Payload:
    try:
        return decode(payload, Payload)
    except ValueError as error:
        raise Rejected(f"the frozen payload cannot be read: {error}") from None


def answered(answer: Response, *path: str | int) -> Any:
    """The value at that path of a JSON answer. Whatever else came back, the request may have done its work: raises
    InDoubt, of a request that changed nothing Unavailable."""
    try:
        value = answer.json()
        for step in path:
            value = value[step]
    except (ValueError, LookupError, TypeError):
        raise _senseless(answer) from None
    return value


def listed(answer: Response, *path: str | int) -> list[dict[str, Any]]:
    """The objects at that path of a JSON answer. Raises as `answered` does."""
    value = answered(answer, *path)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _senseless(answer)
    return value


def _senseless(answer: Response) -> InDoubt | Unavailable:
    lost = Unavailable if answer.call.repeatable else InDoubt
    return lost(f"{answer.call.place}: {answer.status}, an answer that makes no sense")


def marks_in(texts: Iterable[str], marks: Collection[str]) -> frozenset[str]:
    """Which marks stand in any of these texts."""
    whole = "\n".join(texts)
    return frozenset(mark for mark in marks if mark in whole)
