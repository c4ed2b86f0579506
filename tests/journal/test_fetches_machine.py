"""Files on their way as a state machine: in whatever order they come, wherever a process ends, each is told once."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, multiple, precondition, rule

from allears.journal.records import DueConversation, DueFetch
from allears_sdk.connector import Media, Threading
from allears_sdk.message import Attachment, Author, Kind, Message, Ref
from normalizer.conversation import Conversation, Draft, Facts
from normalizer.derive import derive, deserves_filing
from tests.journal.desk import POLICIES, Desk, router

T = TypeVar("T")

RUNNING = frozenset({"chat", "review"})
CHANNELS = st.sampled_from(sorted(RUNNING))
FILES = st.lists(st.sampled_from("abcd"), max_size=2, unique=True)
PAUSES = st.sampled_from((1, 16, 61, 130, 4000))


class FetchesMachine(RuleBasedStateMachine):
    taken = Bundle[DueFetch]("taken")
    derived = Bundle[tuple[DueConversation, Draft]]("derived")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="allears-fetches-")
        self.runner = asyncio.Runner()
        self.desk = self.run(Desk.open(Path(self.folder.name) / "data"))
        self.count = 0

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(step)

    def teardown(self) -> None:
        try:
            self.run(self.desk.reopen())
            self.run(self.finish())
            self.run(self.check())
        finally:
            self.run(self.desk.close())
            self.runner.close()
            self.folder.cleanup()

    @rule(channel=CHANNELS, names=FILES, seconds=st.sampled_from((None, 30, 259_200)), profile=st.booleans())
    def say(self, channel: str, names: list[str], seconds: int | None, profile: bool) -> None:
        self.count += 1
        self.hear(channel, f"m-{self.count}", names, seconds, profile=profile)

    @precondition(lambda self: self.count)
    @rule(channel=CHANNELS, names=FILES, data=st.data())
    def edit(self, channel: str, names: list[str], data: st.DataObject) -> None:
        number = data.draw(st.integers(1, self.count))
        self.count += 1
        self.hear(channel, f"m-{number}", names, None, profile=False, kind=Kind.EDITED, revision=str(self.count))

    def hear(
        self, channel: str, name: str, names: list[str], seconds: int | None, *, profile: bool, **facts: Any
    ) -> None:
        before = None if seconds is None else self.desk.clock.now() + timedelta(seconds=seconds)
        files = [Attachment(name=one, ref=Ref(locator={"id": one}, fetch_before=before)) for one in names]
        author = Author(id="wm-li", profile=Ref(locator={"user": "wm-li"}) if profile else None)
        message = Message(
            text=f"屏幕碎了，要求退款 {self.count}", external_id=f"{channel} {name}", author=author,
            thread=("room",) if channel == "chat" else (), attachments=tuple(files), **facts,
        )  # fmt: skip
        self.run(self.desk.accept(channel, self.desk.raw(f"{self.count}", message)))

    @rule()
    def read(self) -> None:
        self.run(self.desk.read_waiting())

    @rule(seconds=PAUSES)
    def wait(self, seconds: int) -> None:
        self.desk.clock.advance(seconds)

    @rule(target=taken, each=st.integers(1, 3))
    def take(self, each: int) -> Any:
        found = self.run(self.desk.journal.fetches.due(self.desk.clock.now(), RUNNING, each, 4))
        return multiple(*found)

    @rule(one=consumes(taken), how=st.sampled_from(("keep", "skip", "put off", "release")))
    def end(self, one: DueFetch, how: str) -> None:
        """Perhaps long after the process that took it has ended."""
        self.run(self.end_fetch(one, how))

    async def end_fetch(self, one: DueFetch, how: str) -> None:
        roll = self.desk.journal.fetches
        if how == "put off":
            await roll.put_off(one.id, "HTTP 502", self.desk.clock.now() + timedelta(seconds=5))
        elif how == "release":
            await roll.release([one.id])
        elif how == "skip":
            await roll.skip(one.id, "gone")
        elif one.is_profile:
            await roll.keep_profile(one.id, Author(name="李雷"))
        else:
            await roll.keep(one.id, Media(content=str(one.ref.locator).encode()))

    @rule(target=derived)
    def derive_due(self) -> Any:
        due = self.run(self.desk.journal.due_conversations(self.desk.clock.now(), 10))
        return multiple(*((one, draft(one)) for one in due))

    @rule(pair=consumes(derived))
    def file(self, pair: tuple[DueConversation, Draft]) -> None:
        self.run(self.file_one(*pair))

    async def file_one(self, due: DueConversation, made: Draft) -> None:
        settles = POLICIES[due.channel].threading is Threading.CHAT
        await self.desk.journal.file(due, made, router, settles=settles)

    @rule(resumes=st.booleans())
    def restart(self, resumes: bool) -> None:
        self.run(self.desk.reopen())
        if resumes:
            self.run(self.desk.journal.resume_timers({"chat": 15.0}))

    async def finish(self) -> None:
        """The stages go on until there is nothing left to do."""
        for _ in range(400):
            await self.desk.read_waiting()
            fetches = await self.desk.journal.fetches.due(self.desk.clock.now(), RUNNING, 3, 10)
            for one in fetches:
                await self.end_fetch(one, "keep")
            due = await self.desk.journal.due_conversations(self.desk.clock.now(), 10)
            for conversation in due:
                await self.file_one(conversation, draft(conversation))
            if not fetches and not due:
                at = await self.desk.journal.next_due()
                waiting = [count.waiting for count in await self.desk.journal.fetches.counts()]
                if at is None and not any(waiting):
                    return
                self.desk.clock.advance(10)
        raise AssertionError("it never ends")

    async def check(self) -> None:
        rows, _ = await self.desk.journal.complaints(limit=1000)
        heard = {row[0] for row in self.desk.rows("SELECT external_id FROM messages")}
        told = set()
        for row in rows:
            file = await self.desk.file(row.id)
            told |= {message for event in file.events for message in event.messages}
            assert len({event.id for event in file.events}) == len(file.events)
            for event in file.events[1:]:
                assert event.messages or event.changes, "an event that tells nothing"
            newest = {said.message.external_id: said.message for said in file.messages}
            for message in newest.values():
                assert message.author.profile is None
                assert all(one.sha256 or one.skipped for one in message.attachments)
            files = [(one.name, one.sha256, one.skipped) for said in newest.values() for one in said.attachments]
            shown = [(one.name, one.sha256, one.skipped) for one in file.record.attachments]
            assert sorted(shown) == sorted(files), "the last event tells of every file as it is"
            assert not any(one.pending for one in file.record.attachments)
        assert told == heard


def draft(due: DueConversation) -> Draft:
    conversation = Conversation(reference=due.reference, opened_at=due.opened_at, messages=tuple(due.messages))
    record = derive(conversation, Facts(channel=due.channel, connector="scripted"))
    return Draft(record=record, files=deserves_filing(record, public=POLICIES[due.channel].public))


TestFetches = FetchesMachine.TestCase
TestFetches.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to make a failing example small, add Phase.shrink
)
