"""A ticket store in memory that can be told to fail, and the sink that writes to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pydantic import Field, SecretStr

from allears_sdk.codec import decode, encode
from allears_sdk.complaint import Event
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, InDoubt, Rejected, RetryLater, TicketGone, Unavailable
from allears_sdk.settings import DestinationSettings
from allears_sdk.sink import Certainty, Progress, Sink, SinkSpec, Ticket, marks_of

MAX_PAYLOAD_BYTES = 1 << 20


class Fault(StrEnum):
    """What goes wrong with the next call."""

    LOSE_ANSWER = "lose answer"
    """The store does what was asked; its answer never arrives."""
    LATE = "late"
    """The answer never arrives, and the store does it only later: see `MemoryStore.land`."""
    UNREACHABLE = "unreachable"
    TOO_MANY = "too many"
    """429 with `Retry-After: 7`."""
    EXPIRED = "expired"
    """The token or password is refused."""
    REJECT = "reject"
    GONE = "gone"
    """The ticket was deleted or closed for good."""
    GARBAGE = "garbage"
    """The answer is not what the store's documents promise."""


@dataclass
class StoredTicket:
    """One ticket as the store holds it; follow-ups are (key, payload)."""

    id: str
    key: str
    payload: bytes
    created_at: float
    follow_ups: list[tuple[str, bytes]] = field(default_factory=list)
    follow_ups_at: list[float] = field(default_factory=list)


class MemoryStore:
    """Outlives the sinks that write to it, and may be shared by several."""

    def __init__(self, *, lag_seconds: float = 0.0) -> None:
        self.tickets: list[StoredTicket] = []
        self.faults: list[Fault] = []
        """The next call meets the first of them."""
        self.lag_seconds = lag_seconds
        """How long a look-up misses what was written (class C)."""
        self.calls: list[tuple[str, str]] = []
        """(operation, key) of every call that came in."""
        self._late: list[Callable[[], object]] = []

    def land(self) -> None:
        """The requests that were under way when their answers were lost arrive now."""
        late, self._late = self._late, []
        for write in late:
            write()

    def perform(self, operation: str, key: str, write: Callable[[], str]) -> str:
        """One call, with the fault that is due."""
        self.calls.append((operation, key))
        fault = self.faults.pop(0) if self.faults else None
        if fault in _REFUSALS:
            raise _REFUSALS[fault]()
        if fault is Fault.LATE:
            self._late.append(write)
            raise InDoubt
        result = write()
        if fault:
            raise InDoubt
        return result

    def ticket(self, id_: str) -> StoredTicket:
        return next(ticket for ticket in self.tickets if ticket.id == id_)


_REFUSALS: Mapping[Fault | None, Callable[[], AllearsError]] = {
    Fault.UNREACHABLE: Unavailable,
    Fault.TOO_MANY: lambda: RetryLater(after_seconds=7),
    Fault.EXPIRED: AuthError,
    Fault.REJECT: Rejected,
    Fault.GONE: TicketGone,
}


class MemorySettings(DestinationSettings):
    """A store in memory needs no settings; the secret is there to be kept."""

    secret: SecretStr = Field(default=SecretStr("s3cr3t-of-the-store"), description="A secret nobody may see.")


class MemorySink(Sink[MemorySettings]):
    """Writes to a `MemoryStore`. Its class of certainty is that of its spec: see `memory_sink`."""

    spec = SinkSpec(
        kind="memory",
        title_en="Memory",
        title_zh="内存",
        open_certainty=Certainty.A,
        follow_up_certainty=Certainty.A,
        verified="tests",
    )
    Settings = MemorySettings

    def __init__(
        self, context: Context, store: MemoryStore | None = None, settings: MemorySettings | None = None
    ) -> None:
        super().__init__(settings or MemorySettings(sink="memory"), context)
        self.store = store or MemoryStore()

    def render(self, event: Event, key: str) -> bytes:
        payload = encode({"key": key, "marks": marks_of(event, key, is_stream=self.spec.is_stream), "event": event})
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise Rejected(f"larger than {MAX_PAYLOAD_BYTES} bytes")
        return payload

    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        return Ticket(id=self.store.perform("open", key, lambda: self._create(key, payload)))

    async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        self.store.perform("follow_up", key, lambda: self._add(ticket, key, payload))

    async def find(self, key: str) -> Ticket | None:
        self._check_can_find(self.spec.open_certainty)
        self.store.calls.append(("find", key))
        seen = [ticket for ticket in self.store.tickets if self._is_seen(ticket.created_at)]
        found = [ticket.id for ticket in seen if ticket.key == key or (self.spec.is_stream and key in _marks(ticket))]
        return Ticket(id=found[0]) if found else None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        self._check_can_find(self.spec.follow_up_certainty)
        self.store.calls.append(("find_follow_ups", ticket.id))
        there = self.store.ticket(ticket.id)
        pairs = zip(there.follow_ups, there.follow_ups_at, strict=True)
        seen = [payload for (_, payload), at in pairs if self._is_seen(at)]
        return {mark for payload in (there.payload, *seen) for mark in decode(payload, dict)["marks"]} & set(marks)

    def _create(self, key: str, payload: bytes) -> str:
        for ticket in self.store.tickets:
            if self.spec.open_certainty is Certainty.A and ticket.key == key:
                return ticket.id
        made = StoredTicket(f"T-{len(self.store.tickets) + 1}", key, payload, self.context.clock.monotonic())
        self.store.tickets.append(made)
        return made.id

    def _add(self, ticket: Ticket, key: str, payload: bytes) -> str:
        there = self.store.ticket(ticket.id)
        is_known = key in {known for known, _ in there.follow_ups}
        if not (is_known and self.spec.follow_up_certainty is Certainty.A):
            there.follow_ups.append((key, payload))
            there.follow_ups_at.append(self.context.clock.monotonic())
        return there.id

    def _is_seen(self, written_at: float) -> bool:
        return self.context.clock.monotonic() - written_at >= self.store.lag_seconds

    def _check_can_find(self, certainty: Certainty) -> None:
        if certainty not in {Certainty.B, Certainty.C}:
            raise NotImplementedError


def _marks(ticket: StoredTicket) -> Collection[str]:
    """Of all its events."""
    payloads = (ticket.payload, *(payload for _, payload in ticket.follow_ups))
    return {mark for payload in payloads for mark in decode(payload, dict)["marks"]}


def memory_sink(open_certainty: Certainty, follow_up_certainty: Certainty, **spec: Any) -> type[MemorySink]:
    """A MemorySink class with these classes of certainty; `spec` changes other fields of its spec."""

    class Made(MemorySink):
        pass

    Made.spec = replace(MemorySink.spec, open_certainty=open_certainty, follow_up_certainty=follow_up_certainty, **spec)
    return Made
