"""Seeded storms: the real journal, the real courier and a sink, against its store behind faults, with time that is
turned and a process that dies. Whatever happens, every message is in the store once.

A test class names its store as for the contract suite, and says where its faults are made:

    class TestZendeskStorm(ZendeskStore, Storms):
        def faults(self) -> Desk:
            return self._desk
"""

from __future__ import annotations

import asyncio
import math
import os
import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from allears.delivery.courier import Courier
from allears.journal.records import DeliveryRow, DeliveryState
from allears_sdk.context import Context
from allears_sdk.message import Attachment, Raw
from allears_sdk.remote import Remote
from allears_sdk.sink import Certainty, Sink
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.context import MemoryFiles, MemoryTokens
from allears_sdk.testing.sinks import Stored
from tests.delivery.depot import HOOK, Depot
from tests.journal.desk import Desk, mail, said
from tests.sink.weather import FLIGHT_SECONDS, Faults, stormy

STORMS = int(os.environ.get("STORMS", "3"))
"""Schedules of each store."""
A_MOMENT = 1e-6
PEACE = timedelta(days=3)
CHAT_SECONDS = 3000
"""A little less than what ends a chat at the desk."""


class Storm:
    """One schedule."""

    def __init__(self, test: Storms, clock: FakeClock, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = clock
        self.faults = test.faults()
        self.files = MemoryFiles()
        self.sent: list[tuple[str, bytes]] = []
        """Name and content of each attachment."""
        self.heard: list[tuple[str, Raw]] = []
        """All that was said, each with its channel."""
        self.tokens: list[str] = []
        """A word of each message that is in no other."""
        self.retold: set[str] = set()
        """Words of openings that are there and were discarded here: the next event opens, and tells them too."""
        self._test = test
        self._folder = folder
        self._mail_writers = 0
        self._chats: dict[str, float] = {}
        """Who chats, and since when."""
        self._tokens_at_store = MemoryTokens()
        self._concurrency = self.rng.choice((1, 1, 4))
        self._lands_at: float | None = None
        self._death: asyncio.Task[None] | None = None
        self._lives: list[tuple[Sink[Any], Remote]] = []

    async def begin(self, journal: str, *, restored: bool = False) -> None:
        """A daemon whose journal is new."""
        self.depot = Depot(await Desk.open(self._folder / journal, self.clock), self._folder)
        self.restored = restored
        self.hire()

    async def end(self) -> None:
        """And all that a dead process leaves to the operating system."""
        for courier in self.depot.couriers.values():
            await courier.stop(0)
        await self._bury()
        await self.depot.desk.close()

    # The weather

    def storm(self) -> None:
        self.faults.weather, self.faults.exposed = stormy(self.rng, self.sink, self._begin_to_die), ""

    def _begin_to_die(self) -> bool:
        is_first = self._death is None
        if is_first:
            self._death = asyncio.create_task(self.depot.couriers[HOOK].stop(0))
        return is_first

    async def calm(self) -> None:
        """Whatever can be done, is done."""
        self.faults.weather = lambda: None
        await self.pass_time(PEACE.total_seconds())

    # What happens

    async def happen(self, steps: int) -> None:
        for _ in range(steps):
            step = self.rng.choices((self.speak, self.chat, self.wait, self.die), (5, 3, 4, 1))[0]
            await step()

    async def speak(self) -> None:
        await self.hear(self.mail())

    async def chat(self) -> None:
        now = self.clock.monotonic()
        going = [who for who, began in self._chats.items() if now - began < CHAT_SECONDS]
        await self.hear(*self.burst(self.rng.choice(going) if going and self.rng.random() < 0.7 else ""))

    async def wait(self) -> None:
        await self.pass_time(self.rng.choice((1, 20, 90, 400)))

    async def die(self) -> None:
        """Between two things, or while something is about to leave."""
        await self.depot.couriers[HOOK].take()
        await self._die()

    async def hear(self, *heard: tuple[str, Raw]) -> None:
        """Told together, where it is one burst."""
        self.heard += heard
        for channel, raw in heard:
            await self.depot.desk.accept(channel, replace(raw, received_at=self.clock.now()))
        await self.depot.desk.settle()
        await self.pass_time(0)

    async def hear_again(self) -> None:
        """All that was said, in other portions, and what was said while nobody listened."""
        said, self.heard = [*self.heard, self.mail()], []
        for who in self._chats:
            said += self.burst(who)
        while said:
            portion = self.rng.choice((1, 4, 16, 100))
            await self.hear(*said[:portion])
            await self.pass_time(self.rng.choice((0, 20)))
            del said[:portion]

    # What customers say

    def mail(self) -> tuple[str, Raw]:
        """It opens a complaint or goes on with one, with files or without."""
        is_new = not self._mail_writers or self.rng.random() < 0.4
        self._mail_writers += is_new
        who = f"p{self._mail_writers if is_new else self.rng.randint(1, self._mail_writers)}"
        key = f"{who}-{0 if is_new else len(self.tokens)}"
        message = mail(
            key,
            f"{who}@mail.example.cn",
            subject="屏幕碎了" if is_new else "Re: 屏幕碎了",
            thread=() if is_new else (f"{who}-0",),
            text=self._words(),
            attachments=self._attached(),
            posted_at=self.clock.now(),
        )
        return "mail", self.depot.desk.raw(key, message)

    def burst(self, who: str = "") -> list[tuple[str, Raw]]:
        """In a chat; "": in a new one."""
        if not who:
            who = f"wm-{len(self._chats)}"
            self._chats[who] = self.clock.monotonic()
        return [self._chatted(who) for _ in range(self.rng.randint(1, 3))]

    def _chatted(self, who: str) -> tuple[str, Raw]:
        message = said(self._words(), who, thread=who, posted_at=self.clock.now())
        return "chat", self.depot.desk.raw(self.tokens[-1], message, thread=who)

    def _words(self) -> str:
        self.tokens.append(f"tok{len(self.tokens):04d}x")
        return f"屏幕碎了，要求退款 {self.tokens[-1]}"

    def _attached(self) -> tuple[Attachment, ...]:
        made = []
        for _ in range(self.rng.choice((0, 0, 1, 2))):
            name, content = f"照片 {len(self.sent)}.jpg", f"jpeg {len(self.sent)}".encode()
            self.sent.append((name, content))
            file = self.files.put(name, content)
            made.append(Attachment(name=name, media_type="image/jpeg", sha256=file.sha256, size=file.size))
        return tuple(made)

    # Time, and lives

    async def pass_time(self, seconds: float) -> None:
        """Each thing at its moment, also what lost requests still do."""
        until = self.clock.monotonic() + seconds
        while True:
            await self.depot.work()
            if self._death is not None:
                await self._die()
                continue
            now, pause = self.clock.monotonic(), await self.depot.pause()
            if self.faults.is_late and self._lands_at is None:
                self._lands_at = now + self.rng.uniform(0, FLIGHT_SECONDS)
            moments = [until, self._lands_at or until, until if pause is None else now + pause]
            self.clock.advance(max(0.0, min(moments) - now) + A_MOMENT)
            if self._lands_at is not None and self._lands_at <= self.clock.monotonic():
                self._lands_at = None
                await self.faults.land()
            elif self.clock.monotonic() >= until:
                return

    def hire(self) -> None:
        """A process begins."""
        remote = Remote(clock=self.clock, sleep=self.clock.sleep)
        self.sink = self._test.make_sink(
            make_context(
                HOOK, self._folder, clock=self.clock, remote=remote, tokens=self._tokens_at_store, files=self.files
            )
        )
        self._lives.append((self.sink, remote))
        settings = self.sink.settings.model_copy(update={"max_attempts": 1000, "concurrency": self._concurrency})
        journal = self.depot.desk.journal
        self.depot.couriers[HOOK] = Courier(
            HOOK, journal, self.clock, self.sink, settings, restored=self.restored, is_started=False
        )

    async def _die(self) -> None:
        if self._death is not None:
            await self._death
            self._death = None
        await self.depot.crash()
        await self._bury()
        self.hire()

    async def _bury(self) -> None:
        for sink, remote in self._lives:
            await sink.stop()
            await remote.aclose()
        self._lives.clear()

    # People

    async def decide(self, there: Counter[str]) -> bool:
        """What somebody does who reads the letters and looks into the store; whether there was any."""
        journal = self.depot.desk.journal
        rows = [row for row in await self.depot.rows() if row.state is DeliveryState.LETTER]
        letters = {letter.delivery_id: letter.id for letter in await journal.letters(limit=1000)}
        for row in rows:
            told = await self.told(row)
            if all(there[token] for token in told):
                await journal.discard_letter(letters[row.id])
                self.retold |= set(told)
            else:
                await journal.replay_letter(letters[row.id])
        return bool(rows)

    async def told(self, row: DeliveryRow) -> Collection[str]:
        """The words of the messages that this delivery is about."""
        file = await self.depot.desk.file(row.complaint_id)
        (event,) = (event for event in file.events if event.id == row.event_id)
        texts = [one.message.text for one in file.messages if one.message.external_id in event.messages]
        return [token for token in self.tokens if any(token in text for text in texts)]


class Storms:
    """`make_sink` and `stored` as in the contract suite."""

    pytestmark = pytest.mark.storm
    steps: ClassVar[int] = 24
    share: ClassVar[float] = 1
    """Of the schedules: real servers take their time."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        metafunc.parametrize("seed", range(math.ceil(STORMS * self.share)))

    def make_sink(self, context: Context) -> Sink[Any]:
        raise NotImplementedError

    async def stored(self) -> Sequence[Stored]:
        raise NotImplementedError

    async def stored_files(self) -> Sequence[tuple[str, bytes]] | None:
        """None: this store takes no files."""
        return None

    def faults(self) -> Faults:
        """Where the store's troubles are made; its clock is the one of the `clock` fixture."""
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.mark.timeout(180)
    async def test_every_message_is_in_the_store_once(self, tmp_path: Path, clock: FakeClock, seed: int) -> None:
        random.seed(seed)
        storm = Storm(self, clock, tmp_path, seed)
        await storm.begin("journal")
        try:
            storm.storm()
            await storm.happen(self.steps)
            await storm.calm()
            await self._check(storm)
            if seed % 2 == 0:
                await self._restore(storm)
        finally:
            await storm.end()

    async def _check(self, storm: Storm) -> None:
        if _is_repeated(storm.sink):
            assert not await self._lost(storm)
            return
        await self._check_doubled(storm)
        while await storm.decide(await self.there(storm)):
            assert _may_hold(storm.sink), "a letter, though nobody is to be asked"
            await storm.calm()
        await self._check_once(storm)

    async def _check_once(self, storm: Storm) -> None:
        await self._check_doubled(storm)
        assert not await self._lost(storm)
        assert set(await storm.depot.states(HOOK)) <= {DeliveryState.SENT, DeliveryState.DISCARDED}
        files = await self.stored_files()
        if files is not None:
            there, sent = Counter(files), Counter(storm.sent)
            assert not there - sent, "attached twice"
            assert not sent - there, "not attached"

    async def _check_doubled(self, storm: Storm) -> None:
        there = await self.there(storm)
        assert not [token for token, times in there.items() if times > 1 and token not in storm.retold], "filed twice"
        if not storm.retold:
            keys = Counter(one.key for one in await self.stored())
            assert not [key for key, times in keys.items() if times > 1], "two tickets of one complaint"

    async def _restore(self, storm: Storm) -> None:
        """A second journal, born after everything was said."""
        before = await self.there(storm)
        await storm.end()
        await storm.begin("restored", restored=True)
        storm.storm()
        await storm.hear_again()
        await storm.happen(self.steps // 4)
        await storm.calm()
        if Certainty.D in (storm.sink.spec.open_certainty, storm.sink.spec.follow_up_certainty):
            there = await self.there(storm)
            assert _is_repeated(storm.sink) or not [one for one in before if there[one] > before[one]], "not held"
        else:
            await self._check(storm)

    async def there(self, storm: Storm) -> Counter[str]:
        """How often each word is in the store."""
        return _times(storm.tokens, [one.text for one in await self.stored()])

    async def _lost(self, storm: Storm) -> list[str]:
        return [token for token, times in (await self.there(storm)).items() if not times]


def _times(tokens: Sequence[str], texts: Iterable[str]) -> Counter[str]:
    there = Counter(dict.fromkeys(tokens, 0))
    for text in texts:
        there.update(token for token in tokens if token in text)
    return there


def _is_repeated(sink: Sink[Any]) -> bool:
    """Whether the admin has chosen that better twice than not at all."""
    return getattr(sink.settings, "when_in_doubt", "") == "send_again"


def _may_hold(sink: Sink[Any]) -> bool:
    """Whether what may be there already waits for somebody."""
    is_blind = Certainty.D in (sink.spec.open_certainty, sink.spec.follow_up_certainty)
    return is_blind or getattr(sink.settings, "when_not_found", "") == "hold"


class Reader:
    """Of a stream's events. One that `remembers` takes no message twice, by `event.keys`, as docs/sinks/webhook.md asks
    of receivers that know keys."""

    def __init__(self, *, remembers: bool) -> None:
        self._remembers = remembers
        self._known: set[str] = set()

    def read(self, event: Mapping[str, Any], complaint: Mapping[str, Any]) -> str:
        """What is new in it."""
        new = {message for key, message in event["keys"].items() if key not in self._known}
        if self._remembers:
            self._known |= set(event["keys"])
        return "\n".join(said["text"] for said in complaint["conversation"] if said["id"] in new)
