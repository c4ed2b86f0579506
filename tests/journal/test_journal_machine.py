"""The journal as a state machine: whatever the stages do, in whatever order, and wherever a process ends."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from allears.journal.records import DeliveryState, DueConversation, DueDelivery, Letter, LetterKind, StoredRaw
from allears_sdk.connector import Accepted
from allears_sdk.message import Author, Message, Raw
from allears_sdk.reference import is_reference
from tests.journal.desk import CHAT, DESTINATIONS, FILE, PRAISE, Desk, mail, said

T = TypeVar("T")

CHANNELS = st.sampled_from(("mail", "review", "chat"))
THREADS = st.integers(0, 1)
PEOPLE = st.sampled_from(("li", "amy"))
PAUSES = st.sampled_from((1, 16, 130, 4000))
DIGESTS = st.sampled_from(("1", "5"))
SUBJECTS = ("屏幕碎了", "Refund")
FINISHED = {DeliveryState.SENT, DeliveryState.DISCARDED}
OUTCOMES = st.sampled_from((DeliveryState.SENT, DeliveryState.LETTER, DeliveryState.PENDING, DeliveryState.DOUBT))


@dataclass(slots=True)
class Kept:
    """What the model knows of one accepted raw."""

    channel: str
    key: str
    digest: str
    ordinal: int
    thread: str
    state: str
    body: bytes
    reference: str = ""


@dataclass(slots=True)
class Model:
    """The journal, in dicts."""

    raws: dict[tuple[str, str], list[Kept]] = field(default_factory=dict)
    cursors: dict[tuple[str, str], int] = field(default_factory=dict)
    chats: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """Thread of a chat → the reference of its newest conversation, and when it was last heard of."""
    references: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """What a conversation is made of → its reference."""
    deliveries: dict[int, DeliveryState] = field(default_factory=dict)
    placed: dict[tuple[str, str], str] = field(default_factory=dict)
    """Message → the reference of its conversation."""

    def kept(self) -> list[Kept]:
        return [kept for revisions in self.raws.values() for kept in revisions]


def speak(channel: str, thread: int, who: str, key: str, *, reply: bool, thanks: bool) -> Message:
    text = PRAISE if thanks else f"坏了 broken {key}"
    if channel == "mail":
        subject = SUBJECTS[thread]
        root = f"root-{thread}-{who}"
        return mail(key, who, subject=f"回复：{subject}" if reply else subject, thread=(root,), text=text)
    if channel == "review":
        return Message(text=text, author=Author(id=who), thread=(f"post-{thread}",))
    return said(text, who)


class JournalMachine(RuleBasedStateMachine):
    taken = Bundle[StoredRaw]("taken")
    derived = Bundle[DueConversation]("derived")
    held = Bundle[tuple[str, DueDelivery]]("held")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="allears-machine-")
        self.runner = asyncio.Runner()
        self.desk = self.run(Desk.open(Path(self.folder.name) / "data"))
        self.model = Model()
        self.life = 1
        """Of the process: what was leased in an earlier one is void."""
        self.leases: dict[object, int] = {}
        self.count = 0

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(step)

    def teardown(self) -> None:
        try:
            self.run(self.desk.reopen())
            self.run(self.desk.journal.recover())
            self.finish()
        finally:
            self.run(self.desk.close())
            self.runner.close()
            self.folder.cleanup()

    # Accepting

    @initialize()
    def begin(self) -> None:
        self.accept_batch("mail", 0, "li", reply=False, thanks=False, digests=["1"], moves=True)

    @rule(
        channel=CHANNELS, thread=THREADS, who=PEOPLE, reply=st.booleans(), thanks=st.booleans(), moves=st.booleans(),
        digests=st.lists(DIGESTS, min_size=1, max_size=3),
    )  # fmt: skip
    def accept_batch(
        self, channel: str, thread: int, who: str, *, reply: bool, thanks: bool, digests: list[str], moves: bool
    ) -> None:
        """A new item, perhaps edited in the same batch."""
        self.count += 1
        key = f"{channel}-{self.count}"
        message = speak(channel, thread, who, key, reply=reply, thanks=thanks)
        name = f"wm-{thread}" if channel == "chat" else f"post-{thread}" if channel == "review" else ""
        self.accept(channel, [self.desk.raw(key, message, digest=digest, thread=name) for digest in digests], moves)

    @rule(kept=st.integers(0, 40), digest=DIGESTS, moves=st.booleans())
    def redeliver(self, kept: int, digest: str, moves: bool) -> None:
        revisions = list(self.model.raws.values())[kept % len(self.model.raws)]
        last = revisions[-1]
        raw = self.desk.raw(last.key, thread=last.thread, digest=digest, body=last.body)
        self.accept(last.channel, [raw, raw], moves)

    @rule(channel=CHANNELS, baseline=st.booleans())
    def accept_what_is_not_read(self, channel: str, baseline: bool) -> None:
        self.count += 1
        facts: dict[str, Any] = {"baseline": True} if baseline else {"quarantine": "larger than 50 MiB"}
        self.accept(channel, [self.desk.raw(f"{channel}-{self.count}", digest="1", **facts)], moves=False)

    @rule(channel=CHANNELS)
    def accept_poison(self, channel: str) -> None:
        naive = datetime(2026, 11, 22)  # noqa: DTZ001 what must be refused
        raws = [self.desk.raw("good"), self.desk.raw("naive", received_at=naive)]
        with pytest.raises(ValueError, match="naive"):
            self.run(self.desk.accept(channel, *raws, stream="s", cursor={"version": 1, "at": -1}))

    def accept(self, channel: str, raws: Sequence[Raw], moves: bool) -> None:
        cursor = {"version": 1, "at": self.count} if moves else None
        answers = self.run(self.desk.accept(channel, *raws, stream="s", cursor=cursor))
        if moves:
            self.model.cursors[channel, "s"] = self.count
        for raw, answer in zip(raws, answers, strict=True):
            self.check_answer(channel, raw, answer)

    def check_answer(self, channel: str, raw: Raw, answer: Accepted) -> None:
        revisions = self.model.raws.setdefault((channel, raw.key), [])
        is_new = not revisions or revisions[-1].digest != raw.digest
        assert (answer.key, answer.is_new) == (raw.key, is_new)
        if not is_new:
            assert answer.reference == revisions[-1].reference
            return
        earlier = revisions[-1].reference if revisions and channel == "chat" else ""
        if earlier and earlier == self.model.chats[raw.thread][0]:
            self.model.chats[raw.thread] = (earlier, raw.received_at)
        reference = earlier or self.expected_reference(channel, raw, answer.reference)
        assert answer.reference == reference
        state = "baseline" if raw.baseline else "quarantined" if raw.quarantine else "waiting"
        revisions.append(
            Kept(channel, raw.key, raw.digest, len(revisions) + 1, raw.thread, state, raw.body, reference)
        )  # fmt: skip

    def expected_reference(self, channel: str, raw: Raw, given: str) -> str:
        if not raw.thread or raw.baseline:
            return ""
        assert is_reference(given)
        if channel == "review":
            return self.model.references.setdefault((channel, raw.thread, ""), given)
        reference, at = self.model.chats.get(raw.thread, ("", raw.received_at))
        if not reference or raw.received_at - at > timedelta(seconds=CHAT.idle_seconds):
            assert given not in {kept.reference for kept in self.model.kept()}
            reference = given
        self.model.chats[raw.thread] = (reference, raw.received_at)
        return reference

    # Parsing, joining, filing

    @rule(target=taken, limit=st.integers(1, 5))
    def take(self, limit: int) -> Any:
        return multiple(*self.take_now(limit))

    def take_now(self, limit: int) -> Sequence[StoredRaw]:
        stored = self.run(self.desk.take(limit=limit))
        for one in stored:
            assert self.leases.get(("raw", one.id)) != self.life, "nobody else holds it"
            self.leases["raw", one.id] = self.life
            kept = self.find(one)
            assert (kept.state, kept.body) == ("waiting", one.raw.body)
        return stored

    @rule(stored=taken, twice=st.booleans())
    def join(self, stored: StoredRaw, twice: bool) -> None:
        """Perhaps a second time, perhaps by a process that has died meanwhile."""
        self.run(self.desk.join([self.desk.reading(stored)] * (1 + twice)))
        self.leases.pop(("raw", stored.id), None)
        kept = self.find(stored)
        if kept.state == "waiting":
            kept.state = "read"

    @rule(stored=taken)
    def release(self, stored: StoredRaw) -> None:
        self.run(self.desk.journal.release_raws([stored.id]))
        self.leases.pop(("raw", stored.id), None)

    @rule(stored=taken)
    def quarantine(self, stored: StoredRaw) -> None:
        self.run(self.desk.journal.fail_raws([stored.id], "no MIME at all", quarantine=True))
        self.leases.pop(("raw", stored.id), None)
        kept = self.find(stored)
        if kept.state == "waiting":
            kept.state = "quarantined"

    @rule(target=derived, limit=st.integers(1, 3))
    def take_due(self, limit: int) -> Any:
        return multiple(*self.take_due_now(limit))

    def take_due_now(self, limit: int) -> Sequence[DueConversation]:
        due = self.run(self.desk.journal.due_conversations(self.desk.clock.now(), limit))
        for one in due:
            assert self.leases.get(("conversation", one.id)) != self.life, "nobody else holds it"
            self.leases["conversation", one.id] = self.life
        return due

    @rule(due=derived)
    def file(self, due: DueConversation) -> None:
        """Perhaps as it was long ago: it is then refused."""
        ((version, timed),) = self.desk.rows("SELECT version, due_at FROM conversations WHERE id=?", due.id)
        filed = self.run(self.desk.file_one(due))
        assert filed is (version == due.version)
        self.leases.pop(("conversation", due.id), None)
        ((left,),) = self.desk.rows("SELECT due_at FROM conversations WHERE id=?", due.id)
        assert left == (None if filed else timed)

    @rule(words=st.lists(st.tuples(CHANNELS, THREADS, PEOPLE), min_size=1, max_size=3), seconds=PAUSES)
    def hear(self, words: list[tuple[str, int, str]], seconds: int) -> None:
        """Messages all the way, past what others hold."""
        for channel, thread, who in words:
            self.accept_batch(channel, thread, who, reply=True, thanks=False, digests=["1"], moves=True)
        self.read_the_rest()
        self.desk.clock.advance(seconds)
        self.file_the_rest()

    @rule()
    def read_the_rest(self) -> None:
        for stored in self.take_now(limit=1000):
            self.join(stored, twice=False)

    @rule()
    def file_the_rest(self) -> None:
        for due in self.take_due_now(limit=1000):
            self.file(due)

    @rule(seconds=PAUSES)
    def let_time_pass(self, seconds: int) -> None:
        self.desk.clock.advance(seconds)

    # Delivering

    @rule(target=held, destination=st.sampled_from(DESTINATIONS), limit=st.integers(1, 9))
    def take_deliveries(self, destination: str, limit: int) -> Any:
        return multiple(*((destination, due) for due in self.take_deliveries_now(destination, limit)))

    def take_deliveries_now(self, destination: str, limit: int) -> Sequence[DueDelivery]:
        due = self.run(self.desk.due(destination, limit))
        assert len(due) <= limit
        for one in due:
            assert self.leases.get(("delivery", one.id)) != self.life, "nobody else holds it"
            self.leases["delivery", one.id] = self.life
            assert self.model.deliveries[one.id] not in FINISHED | {DeliveryState.LETTER}
        return due

    @rule(destination=st.sampled_from(DESTINATIONS), limit=st.integers(1, 9), state=OUTCOMES, reopen=st.booleans())
    def deliver(self, destination: str, limit: int, state: DeliveryState, reopen: bool) -> None:
        """All the way, past what others hold."""
        for due in self.take_deliveries_now(destination, limit):
            self.freeze((destination, due))
            self.note((destination, due), state, 0, reopen)

    @rule(one=held)
    def freeze(self, one: tuple[str, DueDelivery]) -> None:
        self.run(self.desk.freeze(one[1]))
        self.turn(one[1], DeliveryState.SENDING)

    @rule(one=held, state=OUTCOMES, seconds=st.sampled_from((0, 90)), reopen=st.booleans())
    def note(self, one: tuple[str, DueDelivery], state: DeliveryState, seconds: int, reopen: bool) -> None:
        """Perhaps late, by a courier that was given up."""
        destination, due = one
        facts: dict[str, Any] = {"reason": "HTTP 500"}
        if state in (DeliveryState.PENDING, DeliveryState.DOUBT):
            facts["at"] = self.desk.clock.now() + timedelta(seconds=seconds)
            facts["reopen"] = reopen and state is DeliveryState.PENDING and due.ticket is not None
        self.run(self.desk.journal.note_outcomes(destination, [self.desk.outcome(due, state, **facts)]))
        self.leases.pop(("delivery", due.id), None)
        self.turn(due, state)

    @rule(one=held)
    def release_delivery(self, one: tuple[str, DueDelivery]) -> None:
        self.run(self.desk.journal.release_deliveries(one[0], [one[1].id]))
        self.leases.pop(("delivery", one[1].id), None)

    def turn(self, due: DueDelivery, state: DeliveryState) -> None:
        if self.model.deliveries[due.id] not in FINISHED | {DeliveryState.LETTER}:
            self.model.deliveries[due.id] = state

    # Letters

    @precondition(lambda self: self.run(self.desk.letters()))
    @rule(index=st.integers(0, 20), discards=st.booleans())
    def decide(self, index: int, discards: bool) -> None:
        letters = self.run(self.desk.letters())
        letter = letters[index % len(letters)]
        act = self.desk.journal.discard_letter if discards else self.desk.journal.replay_letter
        self.run(act(letter.id))
        self.note_decision(letter, discards)

    def note_decision(self, letter: Letter, discards: bool) -> None:
        if letter.kind is LetterKind.DELIVERY and letter.delivery_id is not None:
            if self.model.deliveries[letter.delivery_id] is DeliveryState.LETTER:
                self.model.deliveries[letter.delivery_id] = (
                    DeliveryState.DISCARDED if discards else DeliveryState.PENDING
                )
        else:
            stored = self.run(self.desk.journal.raw(letter.raw_id or 0))
            assert stored is not None
            self.find(stored).state = "discarded" if discards else "waiting"

    # Ends

    @rule(recovers=st.booleans())
    def die(self, recovers: bool) -> None:
        self.run(self.desk.reopen())
        self.life += 1
        if recovers:
            self.run(self.desk.journal.recover())
            for delivery, state in self.model.deliveries.items():
                if state is DeliveryState.SENDING:
                    self.model.deliveries[delivery] = DeliveryState.DOUBT

    def finish(self) -> None:
        """Let everything come to its end: then nothing is missing, and nothing is there twice."""
        self.run(self.desk.settle())
        for kept in self.model.kept():
            kept.state = "read" if kept.state == "waiting" else kept.state
        self.note_new_deliveries()
        for _ in range(100):
            if not self.run(self.desk.open_deliveries()):
                break
            for destination in DESTINATIONS:
                self.run(self.desk.send_all(destination))
            for letter in self.run(self.desk.letters()):
                if letter.kind is LetterKind.DELIVERY:
                    self.run(self.desk.journal.replay_letter(letter.id))
            self.desk.clock.advance(100)
        self.model.deliveries = {
            one: state if state in FINISHED else DeliveryState.SENT for one, state in self.model.deliveries.items()
        }
        self.check_tables()
        self.check_that_all_is_filed()

    # What always holds

    def find(self, stored: StoredRaw) -> Kept:
        return self.model.raws[stored.channel, stored.raw.key][stored.raw.ordinal - 1]

    @invariant()
    def everything_holds(self) -> None:
        self.note_new_deliveries()
        self.check_tables()

    def note_new_deliveries(self) -> None:
        for delivery, state in self.desk.rows("SELECT id, state FROM deliveries"):
            if delivery not in self.model.deliveries:
                assert state == DeliveryState.PENDING
                self.model.deliveries[delivery] = DeliveryState.PENDING

    def check_tables(self) -> None:
        with closing(sqlite3.connect(self.desk.folder / FILE)) as sql:
            self.check_raws(sql)
            self.check_messages(sql)
            self.check_events(sql)
            self.check_lines(sql)

    def check_raws(self, sql: sqlite3.Connection) -> None:
        rows = sql.execute("SELECT channel, raw_key, ordinal, digest, state FROM raws").fetchall()
        expected = [(one.channel, one.key, one.ordinal, one.digest, one.state) for one in self.model.kept()]
        assert sorted(rows) == sorted(expected), "each accepted revision is one raw, none is lost"
        cursors = sql.execute("SELECT channel, stream, json_extract(value, '$.at') FROM cursors").fetchall()
        assert {(channel, stream): at for channel, stream, at in cursors} == self.model.cursors
        lettered = {row[0] for row in sql.execute("SELECT raw_id FROM letters WHERE kind='raw' AND state='open'")}
        waiting = {row[0] for row in sql.execute("SELECT id FROM raws WHERE state='quarantined'")}
        assert waiting == lettered, "who is quarantined has an open letter"

    def check_messages(self, sql: sqlite3.Connection) -> None:
        """Each read raw is one message, in the conversation it was put into at first, which is the right one."""
        rows = sql.execute(
            "SELECT m.channel, r.raw_key, r.ordinal, c.reference, json_extract(m.body, '$.author.id'),"
            " json_extract(m.body, '$.thread[0]')"
            " FROM messages m JOIN raws r ON r.id = m.raw_id JOIN conversations c ON c.id = m.conversation_id"
        ).fetchall()
        assert len(rows) == len({row[:3] for row in rows}) == sum(one.state == "read" for one in self.model.kept())
        for channel, key, ordinal, reference, who, root in rows:
            assert self.model.placed.setdefault((channel, f"{key}/{ordinal}"), reference) == reference
            kept = self.model.raws[channel, key][ordinal - 1]
            if kept.reference:
                assert reference == kept.reference, "what the answer carried"
            elif channel == "mail" and root:
                assert self.model.references.setdefault((channel, root, who), reference) == reference
        distinct = list(self.model.references.values())
        assert len(distinct) == len(set(distinct)), "no two matters share a reference"

    def check_events(self, sql: sqlite3.Connection) -> None:
        numbers: dict[str, list[int]] = {}
        for complaint, sequence in sql.execute("SELECT complaint_id, sequence FROM events ORDER BY 1, 2"):
            numbers.setdefault(complaint, []).append(sequence)
        counted = dict(sql.execute("SELECT id, events FROM complaints").fetchall())
        assert numbers == {complaint: list(range(1, events + 1)) for complaint, events in counted.items()}
        carried = sql.execute(
            "SELECT e.complaint_id, value, count(*) FROM events e, json_each(e.body, '$.messages')"
            " GROUP BY e.id, value HAVING count(*) > 1"
        ).fetchall()
        assert carried == [], "no event carries a message twice"
        wrong = sql.execute(
            "SELECT 1 FROM messages m JOIN events e ON e.id = m.event_id JOIN conversations c ON c.id ="
            " m.conversation_id WHERE e.complaint_id != c.reference"
        ).fetchall()
        assert wrong == []

    def check_lines(self, sql: sqlite3.Connection) -> None:
        owed = sql.execute("SELECT count(*) FROM events").fetchone()[0] * len(DESTINATIONS)
        rows = sql.execute("SELECT id, line_id, event_id, state, head FROM deliveries ORDER BY line_id, id").fetchall()
        assert len(rows) == owed == len({(row[1], row[2]) for row in rows}), "one for each event and destination"
        assert {row[0]: row[3] for row in rows} == self.model.deliveries, "and sent stays sent"
        lines: dict[int, list[tuple[str, int]]] = {}
        for _, line, _, state, head in rows:
            lines.setdefault(line, []).append((state, head))
        for line in lines.values():
            waiting = [head for state, head in line if state not in FINISHED]
            assert waiting == [1] * bool(waiting) + [0] * (len(waiting) - 1), "the first that waits leads its line"
            assert [state for state, _ in line[: len(line) - len(waiting)] if state not in FINISHED] == []
            assert not any(head for state, head in line if state in FINISHED)

    def check_that_all_is_filed(self) -> None:
        """Every message that counts, of every conversation that deserves it, is in one event."""
        rows = self.desk.rows(
            "SELECT c.reference, group_concat(json_extract(m.body, '$.text'), '|'), count(m.id), count(m.event_id)"
            " FROM conversations c JOIN messages m ON m.conversation_id = c.id GROUP BY c.id"
        )
        for reference, texts, messages, carried in rows:
            deserves = any(text != PRAISE for text in texts.split("|"))
            assert carried == (messages if deserves else 0), reference


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to make a failing example small, add Phase.shrink
)
TestJournalMachine = pytest.mark.timeout(180)(TestJournalMachine)
