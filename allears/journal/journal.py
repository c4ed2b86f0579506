"""The journal's interface. Stages meet only here: each method is one durable step, on disk when it returns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from allears.journal.anew import Anew
from allears.journal.answers import Answers
from allears.journal.bells import Bells
from allears.journal.fetch_roll import Fetches
from allears.journal.records import (
    ChannelRow,
    ComplaintFile,
    ComplaintRow,
    DeliveryRow,
    DeliveryState,
    Deposit,
    DestinationRow,
    DueConversation,
    DueDelivery,
    Frozen,
    Letter,
    Outcome,
    Policy,
    Reading,
    Router,
    StoredRaw,
)
from allears.journal.unfiled import UnfiledCount, UnfiledRow
from allears.journal.upkeep import Upkeep
from allears_sdk.accounts import Ledger
from allears_sdk.connector import Accepted, Cursor
from allears_sdk.sink import TicketChange
from normalizer.conversation import Draft


class Journal(Protocol):
    """All methods may raise `JournalUnavailable` (disk full, locked): nothing was stored, the sender keeps it."""

    bells: Bells
    """Rung after a commit that left work for the next stage."""

    fetches: Fetches
    anew: Anew

    answers: Answers

    spending: Ledger

    upkeep: Upkeep

    deposits: int
    """How many have been accepted since the start: the stages after it give way to a flood."""

    async def close(self) -> None:
        """Finish what was queued and close the file."""

    # Accepting

    async def accept(self, deposit: Deposit) -> Sequence[Accepted]:
        """Store a batch, move its stream's cursor, count; one entry per raw, in order."""

    async def known(self, channel: str, keys: Collection[str]) -> frozenset[str]:
        """Which raw keys the channel has stored."""

    async def cursor(self, channel: str, stream: str) -> Cursor | None:
        """Where the stream goes on, None before its first batch."""

    # Parsing and joining

    async def take_raws(self, limit: int, max_bytes: int, readable: Collection[str]) -> Sequence[StoredRaw]:
        """Raws of the `readable` channels that wait to be parsed, in turn; leased to the caller until read,
        failed or released."""

    async def release_raws(self, ids: Sequence[int]) -> None:
        """Give leased raws back untouched."""

    async def fail_raws(self, ids: Sequence[int], reason: str, *, quarantine: bool = False) -> None:
        """Count an attempt; at the third, or at once with `quarantine`, the raw becomes a letter."""

    async def join(self, readings: Sequence[Reading], policies: Mapping[str, Policy], router: Router) -> None:
        """Store messages, find or make their conversations, and file at once what has nothing to settle. What the
        router raises is raised; the raws stay leased until `fail_raws` or `release_raws`."""

    async def due_conversations(self, now: datetime, limit: int) -> Sequence[DueConversation]:
        """Conversations whose timer has run out, channels in turn; leased like raws."""

    async def next_due(self) -> datetime | None:
        """When the next conversation timer runs out."""

    async def release_conversations(self, ids: Sequence[int]) -> None:
        """Give leased conversations back untouched."""

    async def fail_conversation(self, conversation: DueConversation, reason: str) -> None:
        """Deriving failed: due again in a minute, a letter after the third time."""

    async def file(self, conversation: DueConversation, draft: Draft, router: Router, *, settles: bool) -> bool:
        """Write the event and its deliveries; where things settle, one event for all that is new. False: the
        conversation moved on meanwhile and stays due. What the router raises is raised; the conversation stays leased
        until `fail_conversation` or `release_conversations`."""

    async def resume_timers(self, silences: Mapping[str, float]) -> None:
        """After a start: conversations of these channels are due so many seconds from now at the earliest, so that
        the channel first catches up with what was said meanwhile."""

    # Delivering

    async def due_deliveries(self, destination: str, now: datetime, limit: int) -> Sequence[DueDelivery]:
        """Heads of lines that may move now, P1 first; leased to the caller until an outcome is noted."""

    async def next_delivery(self, destination: str) -> datetime | None:
        """When the next head of a line may move."""

    async def freeze(self, frozen: Sequence[Frozen]) -> Collection[int]:
        """State `sending`, with payload and deadline, before the first byte leaves. Which of them may go: the others
        were called off meanwhile."""

    async def note_progress(self, delivery: int, note: Mapping[str, Any]) -> None:
        """Keep a sink's note on disk before a step that cannot be repeated."""

    async def release_deliveries(self, destination: str, ids: Sequence[int]) -> None:
        """Give leased deliveries back untouched."""

    async def note_outcomes(self, destination: str, outcomes: Sequence[Outcome]) -> None:
        """What came of deliveries; a letter holds its line."""

    async def recover(self) -> int:
        """After a start: every `sending` is in doubt. Returns how many."""

    # Channels, tokens, letters

    async def note_channel(
        self,
        name: str,
        *,
        connector: str,
        state: str,
        reason: str = "",
        success: bool = False,
        heeded: int | None = None,
    ) -> bool:
        """State of a channel; `success` stamps its last successful contact. With `heeded`, only where the channel
        was given no more orders than that; False where it was."""

    async def order_channel(self, name: str, *, connector: str, state: str) -> None:
        """Tell the daemon that runs, or runs next, to begin again with a channel ("new") or to pause it ("paused")."""

    async def channels(self) -> Sequence[ChannelRow]: ...

    async def rename_channel(self, old: str, new: str) -> None:
        """The name is the identity: everything kept under it moves. ValueError when `new` is taken."""

    async def destinations(self) -> Sequence[DestinationRow]: ...

    async def token(self, space: str, name: str) -> bytes | None: ...

    async def put_token(self, space: str, name: str, value: bytes) -> None: ...

    async def delete_token(self, space: str, name: str) -> None: ...

    async def letters(
        self, *, state: str = "open", limit: int = 100, before: int | None = None
    ) -> Sequence[Letter]: ...

    async def letter(self, letter_id: int) -> Letter | None: ...

    async def replay_letter(self, letter_id: int) -> None:
        """Parse or deliver it again with today's code; ValueError when it is not open."""

    async def discard_letter(self, letter_id: int) -> None:
        """Never thrown away, but out of the way: its line moves on; a discarded opening makes the next event
        the opening."""

    # Looking

    async def complaints(
        self, *, query: str = "", channel: str = "", priority: str = "", limit: int = 50, offset: int = 0
    ) -> tuple[Sequence[ComplaintRow], int]:
        """A page of complaints, newest first, and how many there are."""

    async def complaint(self, reference: str) -> ComplaintFile | None: ...

    async def note_tickets(self, destination: str, changes: Sequence[TicketChange]) -> int:
        """What a store tells of its tickets; of how many of ours."""

    async def unfiled(
        self, *, channel: str = "", nature: str = "", limit: int = 50, before: int | None = None
    ) -> Sequence[UnfiledRow]:
        """Conversations that deserve no ticket, newest first."""

    async def unfiled_counts(self) -> Sequence[UnfiledCount]:
        """How many there are, by channel and nature."""

    async def file_unfiled(self, reference: str) -> None:
        """A person wants it filed; ValueError when it is not there (any more)."""

    async def deliveries(
        self, *, destination: str = "", state: DeliveryState | None = None, limit: int = 100
    ) -> Sequence[DeliveryRow]: ...

    async def raw(self, raw_id: int) -> StoredRaw | None:
        """With its body read in, whatever its size."""

    async def stamps(self) -> Mapping[str, str]:
        """born, restored, boots, schema."""

    async def foreign_changes(self) -> int:
        """A number that grows when another process (a command) has written to the journal."""

    async def oldest_waiting(self) -> datetime | None:
        """When the raw was stored that has waited longest to be parsed."""

    async def ready(self) -> None:
        """Raises JournalUnavailable unless a write would work right now."""

    async def size_bytes(self) -> int:
        """Of the database and its log."""

    async def backup(self, folder: Path) -> None:
        """Copy while running: database, then blobs. The folder must not exist or be empty."""
