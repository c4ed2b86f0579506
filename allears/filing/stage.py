"""The filing stage: takes what waits, has workers read it, and files what deserves it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from allears.filing.knowledge import Knowledge
from allears.filing.leisure import Leisure
from allears.filing.model_step import ModelStep
from allears.filing.model_step_question import Question
from allears.journal.bells import wait
from allears.journal.errors import JournalUnavailable
from allears.journal.journal import Journal
from allears.journal.records import DueConversation, Policy, Reading, Router, StoredRaw
from allears.settings.understanding_section import Encoding
from allears.workers.pool import WorkerLost, Workers
from allears.workers.tasks import (
    SAMPLE_MAIL,
    DeriveJob,
    Failed,
    Read,
    ReadJob,
    derive_records,
    opened,
    read_raws,
    warm_up,
)
from allears_sdk.connector import Threading
from allears_sdk.context import Clock
from normalizer.conversation import Conversation, Draft, Facts
from normalizer.own_rules import OwnRules

MAX_RAWS = 48
"""Daemon and worker hold a step's raws and records: 128 would cost 14 MB more and give 3 % more mails a second."""
MAX_BYTES = 8 << 20
MAX_CONVERSATIONS = 48
FLOOD_PER_SECOND = 500.0
"""More deposits than this are a flood: whoever posts is answered first, and reading goes on in small steps."""
PAUSE_SECONDS = 0.25
FLOOD_RAWS = 32
"""A step costs more than what it reads: a dozen every 80 ms took a fifth of the posts away."""
SWEEP_SECONDS = 5.0
"""Bells may be missed (a command in another process rings none): look this often anyway."""

log = structlog.get_logger("allears.filing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What the stage knows of a channel whose raws it reads."""

    policy: Policy
    facts: Facts
    settings: Any = None
    """Given where the connector parses by itself."""


class Filing:
    """Reads, joins and files until it is stopped. `readers` and `router` may be replaced while it runs."""

    def __init__(
        self, journal: Journal, workers: Workers, clock: Clock, readers: Mapping[str, Reader], router: Router
    ) -> None:
        self.readers = readers
        self.router = router
        self.model: ModelStep | None = None
        """Asked about what rules left open, where it is on."""
        self.rules = OwnRules()
        """The admin's: a batch that begins after they were replaced is read by the new ones, in every worker."""
        self.encoder: Encoding = "never"
        """Whether a third voice is asked beside rules and model, in the steps that begin from now on."""
        self.knowledge: Knowledge | None = None
        """Of customers and products; without it records say what their words say."""
        self._journal = journal
        self._workers = workers
        self._clock = clock
        self._slots = asyncio.Semaphore(workers.count + 1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._glance = (clock.monotonic(), 0)
        self._is_flooded = False
        self._overtaken: set[int] = set()
        self._reading = Leisure()
        self._deriving = Leisure()

    async def run(self) -> None:
        """Until cancelled; running steps are then given up, and taken again after the next start."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._warm_up())
                group.create_task(self._forever(self._read_waiting, self._wait_for_raws))
                group.create_task(self._forever(self._derive_due, self._wait_for_conversations))
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _warm_up(self) -> None:
        try:
            reads_mail = any(one.policy.threading is Threading.MAIL for one in self.readers.values())
            await self._workers.run(warm_up, SAMPLE_MAIL if reads_mail else b"", self.rules)
        except WorkerLost as error:
            log.warning("worker_lost", reason=str(error))

    async def _forever(self, step: Any, idle: Any) -> None:
        while True:
            try:
                if not await step():
                    await idle()
            except JournalUnavailable as error:
                log.warning("filing_waits", reason=str(error))
                await asyncio.sleep(1)

    # Reading

    async def _give_way(self) -> None:
        now, count = self._clock.monotonic(), self._journal.deposits
        since, before = self._glance
        self._glance = (now, count)
        self._is_flooded = count - before > FLOOD_PER_SECOND * max(now - since, 0.001)
        if self._is_flooded:
            await asyncio.sleep(PAUSE_SECONDS)

    async def _read_waiting(self) -> bool:
        await self._give_way()
        await self._slots.acquire()
        try:
            most = FLOOD_RAWS if self._is_flooded else MAX_RAWS
            taken = await self._journal.take_raws(most, MAX_BYTES, frozenset(self.readers))
        except BaseException:
            self._slots.release()
            raise
        if not taken:
            self._slots.release()
            return False
        thoroughly = self._reading.for_step(len(taken), most, self.encoder, is_flooded=self._is_flooded)
        self._start(self._read(taken, thoroughly), self._journal.release_raws, [stored.id for stored in taken])
        return True

    async def _wait_for_raws(self) -> None:
        await wait(self._journal.bells.raws, SWEEP_SECONDS)

    async def _read(self, taken: Sequence[StoredRaw], thoroughly: bool) -> None:
        jobs = [self._read_job(stored) for stored in taken]
        try:
            results = await self._workers.run(read_raws, jobs, self.rules, thoroughly)
        except WorkerLost as error:
            if thoroughly:  # it may have been the encoder: too slow here, or too large
                log.warning("worker_lost", reason=str(error), advice="read again without the encoder")
                await self._read(taken, thoroughly=False)
            else:
                await self._read_one_by_one(taken, error)
            return
        await self._note(taken, opened(results, Read))

    async def _read_one_by_one(self, taken: Sequence[StoredRaw], error: WorkerLost) -> None:
        """Find out which raw it was: each goes alone, and only the guilty one pays."""
        if len(taken) == 1:
            log.warning("worker_lost", raw=taken[0].id, channel=taken[0].channel, reason=str(error))
            await self._journal.fail_raws([taken[0].id], str(error))
            return
        for stored in taken:
            await self._read([stored], thoroughly=False)

    async def _note(self, taken: Sequence[StoredRaw], results: Sequence[Read | Failed]) -> None:
        pairs = list(zip(taken, results, strict=True))
        readings = [
            Reading(raw_id=stored.id, messages=result.messages, draft=result.draft)
            for stored, result in pairs
            if isinstance(result, Read)
        ]
        policies = {name: reader.policy for name, reader in self.readers.items()}
        if readings and self.model is not None and self.model.is_on:
            channels = {stored.id: stored.channel for stored in taken}
            readings = await self._looked_up(self.model, readings, channels)
        if readings:
            await self._journal.join(self._completed(taken, readings), policies, self.router)
        for stored, result in pairs:
            if isinstance(result, Failed):
                log.warning("unreadable", raw=stored.id, channel=stored.channel, reason=result.reason)
                await self._journal.fail_raws([stored.id], result.reason, quarantine=result.is_bad)

    def _completed(self, taken: Sequence[StoredRaw], readings: Sequence[Reading]) -> Sequence[Reading]:
        """With what is known of customers and products."""
        if self.knowledge is None:
            return readings
        facts = {stored.id: self.readers[stored.channel].facts for stored in taken if stored.channel in self.readers}
        return [
            replace(one, draft=self.knowledge.complete(one.draft, facts[one.raw_id]))
            if one.draft is not None and one.draft.files and one.raw_id in facts
            else one
            for one in readings
        ]

    async def _looked_up(
        self, model: ModelStep, readings: Sequence[Reading], channels: Mapping[int, str]
    ) -> list[Reading]:
        """With what the model step has answered before. What it is to be asked about first joins without its record,
        and is derived at once like any other."""
        alone = [(one, one.draft) for one in readings if one.draft is not None]
        found = await model.look_up([(draft, self._is_public(channels[one.raw_id])) for one, draft in alone])
        drafts = {
            one.raw_id: step if isinstance(step, Draft) else None for (one, _), step in zip(alone, found, strict=True)
        }
        return [replace(one, draft=drafts.get(one.raw_id)) for one in readings]

    def _is_public(self, channel: str) -> bool:
        return (self.readers.get(channel) or _stranger(channel)).policy.public

    def _read_job(self, stored: StoredRaw) -> ReadJob:
        reader = self.readers[stored.channel]
        return ReadJob(
            raw_id=stored.id,
            raw=stored.raw,
            body_file=stored.body_file,
            facts=reader.facts,
            stands_alone=reader.policy.threading is not Threading.CHAT,
            public=reader.policy.public,
            settings=reader.settings,
        )

    # Deriving

    async def _derive_due(self) -> bool:
        await self._slots.acquire()
        try:
            due = await self._journal.due_conversations(self._clock.now(), MAX_CONVERSATIONS)
        except BaseException:
            self._slots.release()
            raise
        if not due:
            self._slots.release()
            return False
        thoroughly = self._deriving.for_step(len(due), MAX_CONVERSATIONS, self.encoder, is_flooded=self._is_flooded)
        self._start(self._derive(due, thoroughly), self._journal.release_conversations, [one.id for one in due])
        return True

    async def _wait_for_conversations(self) -> None:
        next_due = await self._journal.next_due()
        seconds = SWEEP_SECONDS
        if next_due is not None:
            seconds = min(seconds, max(0.001, (next_due - self._clock.now()).total_seconds()))
        await wait(self._journal.bells.conversations, seconds)

    async def _derive(self, due: Sequence[DueConversation], thoroughly: bool) -> None:
        jobs = [self._derive_job(one) for one in due]
        try:
            results = await self._workers.run(derive_records, jobs, self.rules, thoroughly)
        except WorkerLost as error:
            if thoroughly:  # as in `_read`
                log.warning("worker_lost", reason=str(error), advice="read again without the encoder")
                await self._derive(due, thoroughly=False)
            else:
                await self._derive_one_by_one(due, error)
            return
        pairs: Sequence[tuple[DueConversation, Draft | Failed]] = list(zip(due, opened(results, Draft), strict=True))
        if self.model is not None and self.model.is_on:
            pairs = await self._put_aside(self.model, pairs)
        await asyncio.gather(*(self._file(one, result) for one, result in pairs))

    async def _put_aside(
        self, model: ModelStep, pairs: Sequence[tuple[DueConversation, Draft | Failed]]
    ) -> list[tuple[DueConversation, Draft | Failed]]:
        """What can be filed now. What the model step is asked about waits outside, so that it holds up nobody; what
        went on while it was asked about is not asked about again: its customer would wait for as long as he writes."""
        drafts = [(one, result) for one, result in pairs if isinstance(result, Draft)]
        found = await model.look_up([(draft, self._is_public(one.channel)) for one, draft in drafts])
        ready: list[tuple[DueConversation, Draft | Failed]] = [(o, r) for o, r in pairs if isinstance(r, Failed)]
        for (one, draft), step in zip(drafts, found, strict=True):
            is_overtaken = one.id in self._overtaken
            self._overtaken.discard(one.id)
            if isinstance(step, Draft) or is_overtaken:
                ready.append((one, step if isinstance(step, Draft) else draft))
            else:
                self._keep(self._guarded(self._ask(model, one, step), self._journal.release_conversations, [one.id]))
        return ready

    async def _ask(self, model: ModelStep, conversation: DueConversation, question: Question) -> None:
        if not await self._file(conversation, await model.ask(question)):
            self._overtaken.add(conversation.id)

    async def _derive_one_by_one(self, due: Sequence[DueConversation], error: WorkerLost) -> None:
        if len(due) == 1:
            log.warning("worker_lost", complaint=due[0].reference, channel=due[0].channel, reason=str(error))
            await self._journal.fail_conversation(due[0], str(error))
            return
        for conversation in due:
            await self._derive([conversation], thoroughly=False)

    async def _file(self, conversation: DueConversation, result: Draft | Failed) -> bool:
        """False: it has moved on meanwhile, and stays due."""
        if isinstance(result, Failed):
            log.warning("underivable", complaint=conversation.reference, reason=result.reason)
            await self._journal.fail_conversation(conversation, result.reason)
            return True
        reader = self.readers.get(conversation.channel) or _stranger(conversation.channel)
        settles = reader.policy.threading is Threading.CHAT
        try:
            result = self.knowledge.complete(result, reader.facts) if self.knowledge is not None else result
            return await self._journal.file(conversation, result, self.router, settles=settles)
        except JournalUnavailable:
            raise
        except Exception as error:  # its own fault: the others go on
            log.exception("unfilable", complaint=conversation.reference)
            await self._journal.fail_conversation(conversation, f"{type(error).__name__}: {error}")
            return True

    def _derive_job(self, due: DueConversation) -> DeriveJob:
        reader = self.readers.get(due.channel) or _stranger(due.channel)
        conversation = Conversation(
            reference=due.reference,
            opened_at=due.opened_at,
            messages=tuple(due.messages),
            related=tuple(due.related),
        )
        return DeriveJob(conversation=conversation, facts=reader.facts, public=reader.policy.public)

    def _start(self, work: Any, release: Any, ids: Sequence[int]) -> None:
        self._keep(self._slotted(work, release, ids))

    def _keep(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _slotted(self, work: Any, release: Any, ids: Sequence[int]) -> None:
        try:
            await self._guarded(work, release, ids)
        finally:
            self._slots.release()

    async def _guarded(self, work: Any, release: Any, ids: Sequence[int]) -> None:
        try:
            await work
        except JournalUnavailable as error:
            log.warning("filing_waits", reason=str(error))
            await release(ids)
        except Exception:
            log.exception("filing_failed")
            await asyncio.sleep(1)
            await release(ids)


def _stranger(channel: str) -> Reader:
    """A channel that is no longer configured: what it left behind is still filed."""
    return Reader(policy=Policy(threading=Threading.ITEM), facts=Facts(channel=channel, connector=""))
