"""The contract of a sink: the code for one kind of ticket store.

The core owns order, retries, freezing and doubt; a sink makes one call and says what came of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from allears_sdk.complaint import Event, EventKind, told_by
from allears_sdk.connector import SDK_MAJOR, Answer, Identity, Request
from allears_sdk.context import Context
from allears_sdk.reference import event_key
from allears_sdk.settings import DestinationSettings


class Certainty(StrEnum):
    """How an operation whose answer was lost is resolved, and after what wait beyond its deadline."""

    A = "A"
    """The store knows our key: send the same bytes with the same key again."""
    B = "B"
    """Strong look-up: `find` sees every write; adopt or send."""
    C = "C"
    """Lagging look-up: `find` may miss a recent write; look again after the lag, then send."""
    D = "D"
    """No look-up: held for a person, or sent again where the admin chose `when_in_doubt = "send_again"`."""


DEFAULT_WAIT_SECONDS: Mapping[Certainty, float] = {
    Certainty.A: 0.0,
    Certainty.B: 60.0,
    Certainty.C: 120.0,
    Certainty.D: 0.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSpec:
    """What the daemon, the docs and the tests know of a sink without making one."""

    kind: str
    title_en: str
    title_zh: str
    open_certainty: Certainty
    follow_up_certainty: Certainty
    wait_seconds: float | None = None
    """How long after a lost attempt's deadline its request may still be running over there; None: by class."""
    batches: bool = False
    """Has `send_many`: the core hands over up to 256 deliveries of different lines at once."""
    is_stream: bool = False
    """Takes events, not tickets: each has a key of its own, also the one that opens a complaint. (After a restore a
    reply may be read before what it answers, and opens.)"""
    looks_up: bool = False
    """Of class A, and has look-ups too: after a restore, when keys say too little, they are asked."""
    tells: bool = False
    """Has `hear`: the store's own webhooks tell what agents do."""
    is_view: bool = False
    """A view of the journal: filing is delivery, nothing is sent."""
    verified: str = ""
    """What this was tried against: a real store (named), or a stand-in, and by whom it was checked."""
    verified_zh: str = ""
    """The same in Chinese, for tables in that language; empty: the English one is shown."""
    sdk: int = SDK_MAJOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """Where a complaint lives in the store."""

    id: str
    url: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Small facts the follow-ups need (a contact id, a queue)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A small durable note of one delivery, on disk before a step that cannot be repeated is taken."""

    note: Mapping[str, Any]
    save: Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One delivery as `send_many` gets it; `ticket` is None for an opening."""

    payload: bytes
    key: str
    ticket: Ticket | None


class TicketStatus(StrEnum):
    """Where a ticket stands, in words of ours."""

    OPEN = "open"
    PENDING = "pending"
    """Waits for the customer or for somebody else."""
    SOLVED = "solved"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketChange:
    """What the store tells of a ticket. What is None was not told, or is as it was."""

    ticket: str
    """`Ticket.id`."""
    at: datetime
    status: TicketStatus | None = None
    store_status: str = ""
    """In the store's own words."""
    handler: str | None = None
    """受理人: name or address of whom it is assigned to; "" of nobody."""
    answered: bool = False
    """An agent has answered the customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """What came of a request of the store's: changes, or why it is refused."""

    changes: Sequence[TicketChange] = ()
    refused: str = ""
    answer: Answer = Answer()  # noqa: RUF009  # frozen


def marks_of(event: Event, key: str, *, is_stream: bool = False) -> tuple[str, ...]:
    """What a store keeps of an event so that it is known again: a mark for each message it tells of. `key` is that of
    the operation as `render` gets it."""
    is_tickets = event.kind is EventKind.OPENED and not is_stream
    ticket = key if is_tickets else key.rpartition("-")[0]
    return tuple(event_key(ticket, one) for one in told_by(event))


S = TypeVar("S", bound=DestinationSettings)


class Sink(ABC, Generic[S]):
    """One destination's writer. Payloads are bytes: what `render` made is frozen and sent unchanged for ever."""

    spec: ClassVar[SinkSpec]
    Settings: ClassVar[type[DestinationSettings]]

    def __init__(self, settings: S, context: Context) -> None:
        self.settings = settings
        self.context = context

    async def start(self) -> None:
        """Prepare what the other methods share. Called again after a failed start, or after `stop` when a reload is
        taken back."""

    async def stop(self) -> None:
        """Close connections. Called once, also after a failed `start`."""

    async def check(self) -> Identity:
        """Log in, verify the field mapping, and say where tickets will go. Also called without `start`, beside a
        daemon at work: it takes and makes nothing."""
        return Identity(account=self.context.name)

    @abstractmethod
    def render(self, event: Event, key: str) -> bytes:
        """Pure: the whole request as it will be sent, the core masks and freezes it. Raises Rejected."""

    @abstractmethod
    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        """Create the ticket; `key` is the idempotency key of this ticket, `[A-Z0-9-]`."""

    @abstractmethod
    async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        """Add to the ticket; `key` is the idempotency key of this follow-up."""

    async def find(self, key: str) -> Ticket | None:
        """Look the ticket up by the key it was created with (classes B and C)."""
        raise NotImplementedError

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        """Which of these marks stand in the ticket, in its opening too (classes B and C). A mark is what `render` left
        there for each message it told of: see `marks_of`."""
        raise NotImplementedError

    async def complete(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        """What belongs to this opening or follow-up beyond the call that made it (files that are uploaded to a ticket
        once it is there). Called after `open` and `follow_up`, and again whenever its end is not known: look first
        what is there already."""

    def hear(self, request: Request) -> Hearing:
        """A request to /back/NAME of the public room (`spec.tells`). Signature first, over the body as it came. No
        calls from here; raises nothing."""
        raise NotImplementedError

    async def send_many(self, sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
        """Write several deliveries in one step: for each, in order, its ticket or the error it met."""
        raise NotImplementedError
