"""The journal on SQLite: one file, one writing thread, WAL, `synchronous=FULL`."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from allears.journal import (
    accepting,
    channels,
    copying,
    deliveries,
    fetches,
    filing,
    joining,
    letters,
    looking,
    opening,
    raws,
    tickets,
    timers,
    unfiled,
)
from allears.journal.anew import Anew, SqliteAnew
from allears.journal.answers import Answers, SqliteAnswers
from allears.journal.bells import Bells
from allears.journal.blobs import Blobs
from allears.journal.errors import JournalBroken, JournalUnavailable
from allears.journal.fetch_roll import Fetches, SqliteFetches
from allears.journal.journal import Journal
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
from allears.journal.rows import dump, load, moment, stamp
from allears.journal.spending import SqliteSpending
from allears.journal.unfiled import UnfiledCount, UnfiledRow
from allears.journal.upkeep import SqliteUpkeep, Upkeep
from allears.journal.writer import Writer, connect, translated
from allears_sdk.accounts import Ledger
from allears_sdk.connector import Accepted, Cursor
from allears_sdk.context import Clock
from allears_sdk.sink import TicketChange
from normalizer.conversation import Draft

T = TypeVar("T")


async def open_journal(
    folder: Path,
    clock: Clock,
    *,
    exclusive: bool = True,
    on_broken: Callable[[str], None] = lambda reason: None,
) -> Journal:
    """Open the journal of a data folder. The daemon opens it exclusively (raises JournalInUse); commands do not,
    and write in short transactions of their own, daemon up or down."""
    lock = opening.lock_folder(folder) if exclusive else None
    try:
        await asyncio.to_thread(opening.prepare, folder)
        if exclusive:
            await asyncio.to_thread(opening.boot, folder, stamp(clock.now()))
        return SqliteJournal(folder, clock, lock, on_broken)
    except BaseException:
        if lock:
            lock.release()
        raise


class SqliteJournal:
    """`Journal` on SQLite."""

    def __init__(self, folder: Path, clock: Clock, lock: FileLock | None, on_broken: Callable[[str], None]) -> None:
        self.bells = Bells()
        self.deposits = 0
        self.folder = folder
        self._clock = clock
        self._lock = lock
        self._on_broken = on_broken
        self._blobs = Blobs(folder / "blobs")
        self._writer = Writer(folder / opening.FILE, on_broken)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="journal-reader")
        self._reading = connect(folder / opening.FILE, read_only=True)
        roll = SqliteFetches(self._writer, self._read, self._write_blob, self._blobs, self.bells, clock)
        self.fetches: Fetches = roll
        self.anew: Anew = SqliteAnew(self._writer, self._read, self._filed_before, clock)
        self.upkeep: Upkeep = SqliteUpkeep(folder, self._writer, self._read, self._blobs, clock)
        self.answers: Answers = SqliteAnswers(self._writer, self._read, clock)
        self.spending: Ledger = SqliteSpending(self._writer, self._read)
        self._leased_raws: set[int] = set()
        self._leased_conversations: set[int] = set()
        self._leased_deliveries: dict[str, set[int]] = {}
        self._taking = asyncio.Lock()
        self._served: dict[str, str] = {}
        self._before: float | None = None

    async def close(self) -> None:
        await asyncio.to_thread(self._reader.shutdown)
        self._reading.close()
        await self._writer.close()  # last, so that the log goes into the file
        if self._lock:
            self._lock.release()

    # Accepting

    async def accept(self, deposit: Deposit) -> Sequence[Accepted]:
        blobs: dict[int, str] = {}
        for index, raw in enumerate(deposit.raws):
            if len(raw.body) > accepting.MAX_ROW_BODY:
                blobs[index] = await self._write_blob(raw.body)
        step = accepting.Step(deposit, blobs, stamp(self._clock.now()))
        return await self._writer.submit_item(accepting.accept_many, step, ring=self._ring_accepted)

    async def known(self, channel: str, keys: Collection[str]) -> frozenset[str]:
        return await self._read(lambda sql: accepting.known(sql, channel, list(keys)))

    async def cursor(self, channel: str, stream: str) -> Cursor | None:
        query = "SELECT value FROM cursors WHERE channel=? AND stream=?"
        row = await self._read(lambda sql: sql.execute(query, (channel, stream)).fetchone())
        return load(row[0]) if row else None

    # Parsing and joining

    async def take_raws(self, limit: int, max_bytes: int, readable: Collection[str]) -> Sequence[StoredRaw]:
        async with self._taking:
            held, after = frozenset(self._leased_raws), self._served.get("raws", "")
            taken = await self._read(lambda sql: raws.take(sql, limit, max_bytes, readable, held, after, self._blobs))
            self._leased_raws.update(stored.id for stored in taken)
            self._note_served("raws", [stored.channel for stored in taken])
        return taken

    async def release_raws(self, ids: Sequence[int]) -> None:
        if not self._leased_raws.isdisjoint(ids):
            self._leased_raws.difference_update(ids)
            self.bells.raws.set()

    async def fail_raws(self, ids: Sequence[int], reason: str, *, quarantine: bool = False) -> None:
        now = stamp(self._clock.now())

        def work(sql: sqlite3.Connection) -> None:
            for raw_id in ids:
                raws.fail(sql, raw_id, reason, now, quarantine=quarantine)

        await self._leasing(self._leased_raws, ids, work, self.bells.raws.set)

    async def join(self, readings: Sequence[Reading], policies: Mapping[str, Policy], router: Router) -> None:
        before = await self._filed_before()
        now = stamp(self._clock.now())

        def work(sql: sqlite3.Connection) -> None:
            joining.join(sql, readings, policies, router, before, now)

        lacks = any(fetches.refs(message) for one in readings for message in one.messages)
        ring = self._ring_fetches if lacks else self._ring_filed
        await self._leasing(self._leased_raws, [one.raw_id for one in readings], work, ring, keeps=True)

    async def due_conversations(self, now: datetime, limit: int) -> Sequence[DueConversation]:
        async with self._taking:
            held, after = frozenset(self._leased_conversations), self._served.get("conversations", "")
            due = await self._read(lambda sql: joining.load_due(sql, stamp(now), limit, held, after))
            self._leased_conversations.update(one.id for one in due)
            self._note_served("conversations", [one.channel for one in due])
        return due

    async def next_due(self) -> datetime | None:
        held = frozenset(self._leased_conversations)
        return moment(await self._read(lambda sql: joining.next_due(sql, held)))

    async def file(self, conversation: DueConversation, draft: Draft, router: Router, *, settles: bool) -> bool:
        before = await self._filed_before()
        now = stamp(self._clock.now())

        def work(sql: sqlite3.Connection) -> bool:
            return filing.file_due(sql, conversation, draft, router, before, now, settles=settles)

        return await self._leasing(self._leased_conversations, [conversation.id], work, self._ring_filed, keeps=True)

    async def release_conversations(self, ids: Sequence[int]) -> None:
        if not self._leased_conversations.isdisjoint(ids):
            self._leased_conversations.difference_update(ids)
            self.bells.conversations.set()

    async def fail_conversation(self, conversation: DueConversation, reason: str) -> None:
        now = stamp(self._clock.now())

        def work(sql: sqlite3.Connection) -> None:
            joining.fail(sql, conversation, reason, now)

        await self._leasing(self._leased_conversations, [conversation.id], work, self.bells.conversations.set)

    async def resume_timers(self, silences: Mapping[str, float]) -> None:
        now = stamp(self._clock.now())
        await self._writer.submit(lambda sql: timers.resume(sql, silences, now))

    # Delivering

    async def due_deliveries(self, destination: str, now: datetime, limit: int) -> Sequence[DueDelivery]:
        leased = self._leased_deliveries.setdefault(destination, set())
        stage = f"deliveries {destination}"
        async with self._taking:
            held, after = frozenset(leased), self._served.get(stage, "")
            found = await self._read(lambda sql: deliveries.due(sql, destination, stamp(now), limit, held, after))
            leased.update(one.id for _, one in found)
            self._note_served(stage, [channel for channel, _ in found])
        return [one for _, one in found]

    async def next_delivery(self, destination: str) -> datetime | None:
        held = frozenset(self._leased_deliveries.get(destination, ()))
        return moment(await self._read(lambda sql: deliveries.next_at(sql, destination, held)))

    async def release_deliveries(self, destination: str, ids: Sequence[int]) -> None:
        self._leased_deliveries.get(destination, set()).difference_update(ids)

    async def freeze(self, frozen: Sequence[Frozen]) -> Collection[int]:
        return await self._writer.submit(lambda sql: deliveries.freeze(sql, frozen))

    async def note_progress(self, delivery: int, note: Mapping[str, Any]) -> None:
        await self._writer.submit(lambda sql: deliveries.note_progress(sql, delivery, note))

    async def note_outcomes(self, destination: str, outcomes: Sequence[Outcome]) -> None:
        now = stamp(self._clock.now())

        def work(sql: sqlite3.Connection) -> None:
            deliveries.note_outcomes(sql, outcomes, now)

        leased = self._leased_deliveries.setdefault(destination, set())
        await self._leasing(leased, [one.delivery for one in outcomes], work, self.bells.deliveries(destination).set)

    async def recover(self) -> int:
        return await self._writer.submit(deliveries.recover)

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
        now = stamp(self._clock.now())
        return await self._writer.submit(
            lambda sql: channels.note(
                sql,
                name,
                connector=connector,
                state=state,
                reason=reason,
                now=now,
                success=success,
                heeded=heeded,
            )
        )

    async def order_channel(self, name: str, *, connector: str, state: str) -> None:
        now = stamp(self._clock.now())
        await self._writer.submit(lambda sql: channels.order(sql, name, connector=connector, state=state, now=now))

    async def channels(self) -> Sequence[ChannelRow]:
        return await self._read(channels.listed)

    async def rename_channel(self, old: str, new: str) -> None:
        await self._writer.submit(lambda sql: channels.rename(sql, old, new))

    async def destinations(self) -> Sequence[DestinationRow]:
        return await self._read(channels.destinations)

    async def token(self, space: str, name: str) -> bytes | None:
        query = "SELECT value FROM tokens WHERE space=? AND name=?"
        row = await self._read(lambda sql: sql.execute(query, (space, name)).fetchone())
        return bytes(row[0]) if row else None

    async def put_token(self, space: str, name: str, value: bytes) -> None:
        query = "INSERT INTO tokens VALUES (?,?,?) ON CONFLICT (space, name) DO UPDATE SET value = excluded.value"
        await self._writer.submit(lambda sql: sql.execute(query, (space, name, value)).rowcount)

    async def delete_token(self, space: str, name: str) -> None:
        query = "DELETE FROM tokens WHERE space=? AND name=?"
        await self._writer.submit(lambda sql: sql.execute(query, (space, name)).rowcount)

    async def letters(self, *, state: str = "open", limit: int = 100, before: int | None = None) -> Sequence[Letter]:
        return await self._read(lambda sql: letters.listed(sql, state, limit, before))

    async def letter(self, letter_id: int) -> Letter | None:
        return await self._read(lambda sql: letters.one(sql, letter_id))

    async def replay_letter(self, letter_id: int) -> None:
        now = stamp(self._clock.now())
        await self._writer.submit(lambda sql: letters.replay(sql, letter_id, now), ring=self.bells.ring_all)

    async def discard_letter(self, letter_id: int) -> None:
        await self._writer.submit(lambda sql: letters.discard(sql, letter_id), ring=self.bells.ring_all)

    # Looking

    async def complaints(
        self, *, query: str = "", channel: str = "", priority: str = "", limit: int = 50, offset: int = 0
    ) -> tuple[Sequence[ComplaintRow], int]:
        return await self._read(lambda sql: looking.complaints(sql, query, channel, priority, limit, offset))

    async def complaint(self, reference: str) -> ComplaintFile | None:
        return await self._read(lambda sql: looking.complaint(sql, reference))

    async def note_tickets(self, destination: str, changes: Sequence[TicketChange]) -> int:
        return await self._writer.submit(lambda sql: tickets.note(sql, destination, changes))

    async def unfiled(
        self, *, channel: str = "", nature: str = "", limit: int = 50, before: int | None = None
    ) -> Sequence[UnfiledRow]:
        return await self._read(lambda sql: unfiled.listed(sql, channel, nature, limit, before))

    async def unfiled_counts(self) -> Sequence[UnfiledCount]:
        return await self._read(unfiled.counts)

    async def file_unfiled(self, reference: str) -> None:
        now = stamp(self._clock.now())
        await self._writer.submit(lambda sql: unfiled.want(sql, reference, now), ring=self.bells.ring_all)

    async def deliveries(
        self, *, destination: str = "", state: DeliveryState | None = None, limit: int = 100
    ) -> Sequence[DeliveryRow]:
        return await self._read(lambda sql: looking.deliveries(sql, destination, state, limit))

    async def raw(self, raw_id: int) -> StoredRaw | None:
        return await self._read(lambda sql: raws.read_raw(sql, raw_id, self._blobs))

    async def stamps(self) -> Mapping[str, str]:
        return await self._read(lambda sql: dict(sql.execute("SELECT name, value FROM stamps").fetchall()))

    async def foreign_changes(self) -> int:
        return await self._writer.submit(lambda sql: int(sql.execute("PRAGMA data_version").fetchone()[0]))

    async def oldest_waiting(self) -> datetime | None:
        return moment(await self._read(raws.oldest_waiting))

    async def ready(self) -> None:
        """Raises JournalUnavailable unless a write would work right now."""
        now = dump(self._clock.now())
        query = "INSERT INTO stamps VALUES ('ready', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        await self._writer.submit(lambda sql: sql.execute(query, (now,)).rowcount)

    async def size_bytes(self) -> int:
        """Of the database file and its log."""
        paths = (self.folder / f"{opening.FILE}{suffix}" for suffix in ("", "-wal"))
        return sum(path.stat().st_size for path in paths if path.exists())

    async def backup(self, folder: Path) -> None:
        await asyncio.to_thread(copying.back_up, self.folder, folder)

    # Inside

    async def _write_blob(self, content: bytes) -> str:
        try:
            return await asyncio.to_thread(self._blobs.write, content)
        except OSError as error:
            raise JournalUnavailable(f"the journal cannot write a large body: {error}") from error

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reader, work, self._reading)
        except sqlite3.Error as error:
            failure = translated(error)
            if isinstance(failure, JournalBroken):
                self._on_broken(str(failure))
            raise failure from error

    async def _leasing(
        self,
        leased: set[int],
        ids: Sequence[int],
        work: Callable[[sqlite3.Connection], T],
        ring: Callable[[], None],
        *,
        keeps: bool = False,
    ) -> T:
        """Run a step that ends leases. They end with it whether it worked or not: who failed takes the work again.
        `keeps`: not with an error of the router's; its caller notes the failure first, and gives them back then."""

        def end() -> None:
            leased.difference_update(ids)  # before the bell: whom it wakes would find nothing free
            ring()

        kept = False
        try:
            return await asyncio.shield(self._writer.submit(work, ring=end))
        except Exception as error:  # only looked at: it is raised again
            kept = keeps and not isinstance(error, JournalUnavailable)
            raise
        finally:
            if not kept:
                leased.difference_update(ids)

    def _note_served(self, stage: str, channels: Sequence[str]) -> None:
        """Next time the channel after the last one goes first."""
        if channels:
            self._served[stage] = channels[-1]

    def _ring_accepted(self) -> None:
        self.deposits += 1
        self.bells.raws.set()

    def _ring_filed(self) -> None:
        self.bells.conversations.set()
        self.bells.ring_deliveries()

    def _ring_fetches(self) -> None:
        self._ring_filed()
        self.bells.fetches.set()

    async def _filed_before(self) -> float:
        if self._before is None:
            stamps = await self.stamps()
            self._before = float(stamps.get("restored") or stamps.get("born") or 0)
        return self._before
