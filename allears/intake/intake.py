"""All channels: which are there, what each is made of, and who answers for a name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from allears.intake.board import Board, Note
from allears.intake.channel import Channel, policy_of
from allears.intake.condition import PAUSED, STOPPED, Condition, pause
from allears.intake.reactions import describe, reaction_to
from allears.intake.reception import COME_BACK
from allears.intake.routine import Routine
from allears.intake.schedule import IntervalSchedule, Schedule
from allears.intake.supervisor import Supervisor
from allears.intake.timing import Backoff, Timing
from allears.journal.errors import JournalUnavailable
from allears.journal.journal import Journal
from allears.journal.records import ChannelRow, Policy
from allears_sdk import registry
from allears_sdk.accounts import Accounts, Credential
from allears_sdk.connector import Answer, Connector, Request
from allears_sdk.context import Context, Log
from allears_sdk.errors import Unavailable
from allears_sdk.message import Message, Raw
from allears_sdk.quota import Quota
from allears_sdk.settings import ChannelSettings

NOT_FOUND = Answer(status=404)
GRACE_SECONDS = 10.0


class MakesContexts(Protocol):
    def channel(self, name: str) -> Context: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """How a channel is right now."""

    state: str
    """running, failing, paused or stopped."""
    reason: str
    refused: int = 0
    """Requests refused since the start."""
    quotas: Mapping[str, Sequence[Quota]] = field(default_factory=dict)
    """What is left to the accounts it uses."""
    credentials: Sequence[Credential] = ()
    """Those whose end is known, soonest first."""


@dataclass(slots=True, kw_only=True)
class Casualty:
    """A channel whose connector could not be made; tried again unless its settings are to blame."""

    settings: ChannelSettings
    reason: str
    retry: Routine


class Intake:
    """Owns a supervisor per channel. `backlog` says why pollers are to wait, or ""."""

    def __init__(
        self,
        journal: Journal,
        contexts: MakesContexts,
        timing: Timing,
        *,
        backlog: Callable[[], str] = lambda: "",
        schedule: Schedule | None = None,
        find_class: Callable[[str], type[Connector[Any]]] = registry.connector_class,
    ) -> None:
        self._journal = journal
        self._contexts = contexts
        self._timing = timing
        self._backlog = backlog
        self._schedule = schedule or IntervalSchedule()
        self._find_class = find_class
        self._log: Log = structlog.get_logger("allears.intake")
        self._board = Board(journal, timing, self._heed)
        self._flushing = Routine()
        self._supervisors: dict[str, Supervisor] = {}
        self._casualties: dict[str, Casualty] = {}
        self._once: dict[str, str] = {}
        self._paused: set[str] = set()
        self._leftovers: dict[str, Policy | None] = {}
        self._orders: set[asyncio.Task[None]] = set()
        self._applying = asyncio.Lock()

    async def start(self) -> None:
        """Learn which channels there were and which are paused. Channels come with `apply`."""
        for row in await self._board.read():
            self._once[row.name] = row.connector
            if row.state == PAUSED:
                self._paused.add(row.name)
        self._schedule.start()
        self._flushing.start(self._board.run(), "channel states")

    async def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Stop pulling, let running commits finish, cancel the rest, stop the connectors."""
        self._schedule.stop()
        for order in self._orders:
            order.cancel()
        async with self._applying:
            await asyncio.gather(
                *(casualty.retry.stop(0) for casualty in self._casualties.values()),
                *(supervisor.close(grace_seconds) for supervisor in self._supervisors.values()),
            )
        await self._flushing.stop(0)
        try:
            await self._board.flush()
        except JournalUnavailable as error:
            self._log.warning("states_not_written", cause=describe(error))

    async def apply(self, channels: Mapping[str, ChannelSettings]) -> Mapping[str, Exception]:
        """Make the running channels these: only what is new, changed or gone is touched. A channel whose new
        connector cannot be made keeps its old one. Returns the errors by channel."""
        async with self._applying:
            wanted = {name: settings for name, settings in channels.items() if settings.enabled}
            self._once |= {name: settings.connector for name, settings in channels.items()}
            running = {*self._supervisors, *self._casualties}
            await asyncio.gather(*(self._retire(name) for name in running if name not in wanted))
            errors: dict[str, Exception] = {}
            for name, settings in wanted.items():
                if self._differs(name, settings):
                    error = await self._replace(name, settings, Backoff(self._timing.uniform))
                    errors |= {name: error} if error else {}
            return errors

    def _differs(self, name: str, settings: ChannelSettings) -> bool:
        supervisor = self._supervisors.get(name)
        return supervisor is None or name in self._casualties or supervisor.channel.settings != settings

    async def _replace(self, name: str, settings: ChannelSettings, backoff: Backoff) -> Exception | None:
        """Build and start the new connector, then swap; on an error the old one, if any, stays."""
        casualty = self._casualties.pop(name, None)
        if casualty is not None:
            await casualty.retry.stop(0)
        try:
            supervisor = await self._build(name, settings)
        except Exception as error:  # whatever it is, this channel alone is not there
            self._mourn(name, settings, error, backoff)
            return error
        old = self._supervisors.get(name)
        self._supervisors[name] = supervisor
        if old is not None:
            await old.close(GRACE_SECONDS)
        await supervisor.launch()
        return None

    async def _build(self, name: str, settings: ChannelSettings) -> Supervisor:
        """Raises what the connector raises, and ConfigError where there is none of that kind."""
        kind = self._find_class(settings.connector)
        context = self._contexts.channel(name)
        condition = Condition(kind.spec.kind, self._timing, context.log, lambda note: self._board.pin(name, note))
        connector = kind(settings, context)
        channel = Channel(
            name=name,
            settings=settings,
            connector=connector,
            policy=policy_of(connector.own_spec, settings),
            journal=self._journal,
            condition=condition,
            timing=self._timing,
            log=context.log,
            backlog=self._backlog,
        )
        try:
            supervisor = Supervisor(channel, self._schedule)
            await connector.start()
        except BaseException:
            await connector.stop()
            raise
        if name in self._paused:
            condition.pause()
        return supervisor

    def _mourn(self, name: str, settings: ChannelSettings, error: Exception, backoff: Backoff) -> None:
        reaction = reaction_to(error)
        facts: dict[str, object] = {"exc_info": error} if reaction.unexpected else {}
        keeps = name in self._supervisors
        self._log.error(
            "channel_not_started", channel=name, cause=reaction.cause, advice=reaction.advice, keeps_old=keeps, **facts
        )
        if keeps:
            return
        seconds = backoff.delay() if reaction.delay_seconds is None else reaction.delay_seconds
        retry = Routine()
        self._casualties[name] = Casualty(settings=settings, reason=reaction.cause, retry=retry)
        retry.start(self._retry(name, settings, seconds, backoff), f"{name}: start")
        state = PAUSED if name in self._paused else STOPPED
        self._board.pin(
            name,
            Note(connector=settings.connector, state=state, reason=reaction.cause),
        )

    async def _retry(self, name: str, settings: ChannelSettings, seconds: float, backoff: Backoff) -> None:
        await pause(self._timing, seconds)
        self._order(self._try_again(name, settings, backoff))

    async def _try_again(self, name: str, settings: ChannelSettings, backoff: Backoff) -> None:
        async with self._applying:
            casualty = self._casualties.get(name)
            if casualty is not None and casualty.settings is settings:
                await self._replace(name, settings, backoff)

    async def _retire(self, name: str) -> None:
        casualty = self._casualties.pop(name, None)
        if casualty is not None:
            await casualty.retry.stop(0)
        supervisor = self._supervisors.pop(name, None)
        if supervisor is not None:
            await supervisor.close(GRACE_SECONDS)

    # Answering

    async def receive(self, name: str, request: Request, task: asyncio.Task[Any] | None = None) -> Answer:
        """A path that once was a channel answers 503, never 404: no platform unsubscribes."""
        supervisor = self._supervisors.get(name)
        if supervisor is not None:
            return await supervisor.receiver.answer(request, task)
        return COME_BACK if name in self._once else NOT_FOUND

    def max_body_bytes(self, name: str) -> int:
        """How much of a request's body is worth reading; 0 where nobody would."""
        supervisor = self._supervisors.get(name)
        return 0 if supervisor is None else supervisor.channel.connector.own_spec.max_body_bytes

    def is_signed(self, name: str) -> bool:
        """Whether the channel's requests prove who sent them."""
        supervisor = self._supervisors.get(name)
        return supervisor is not None and supervisor.channel.connector.own_spec.signed

    def connector(self, name: str) -> Connector[Any] | None:
        """The running one; None while the channel is paused or could not be made."""
        supervisor = self._supervisors.get(name)
        return None if supervisor is None or supervisor.channel.condition.is_paused else supervisor.channel.connector

    def running(self) -> list[str]:
        """Names of the channels that are not paused."""
        return [name for name, one in self._supervisors.items() if not one.channel.condition.is_paused]

    def note_fetching(self, name: str, trouble: str) -> None:
        """Shown with the channel's state; its polls go on, for they may well be permitted."""
        supervisor = self._supervisors.get(name)
        if supervisor is None:
            return
        if trouble:
            supervisor.channel.condition.fail("files", Unavailable(trouble), Backoff(self._timing.uniform))
        else:
            supervisor.channel.condition.recover("files")

    def channels_of(self, connector: str) -> list[str]:
        """Names of the running channels of a kind."""
        return [name for name, one in self._supervisors.items() if one.channel.settings.connector == connector]

    # Pausing

    async def pause(self, name: str) -> None:
        """Pull nothing until resumed, restarts included; what is pushed is stored. KeyError: no such channel."""
        self._paused.add(name)
        supervisor = self._supervisors[name]
        await supervisor.pause(GRACE_SECONDS)
        await self._board.flush()

    async def resume(self, name: str) -> None:
        """Pull again; a stopped channel tries again at once. KeyError: no such channel."""
        self._paused.discard(name)
        supervisor = self._supervisors[name]
        await supervisor.resume(GRACE_SECONDS)
        await self._board.flush()

    async def poke(self) -> None:
        """Somebody else has written to the journal: heed what they ordered."""
        for row in await self._board.read():
            self._once.setdefault(row.name, row.connector)

    def _heed(self, row: ChannelRow) -> None:
        supervisor = self._supervisors.get(row.name)
        if row.state == PAUSED:
            self._paused.add(row.name)
            if supervisor is not None:
                self._order(supervisor.pause(GRACE_SECONDS))
        else:
            self._paused.discard(row.name)
            casualty = self._casualties.get(row.name)
            if casualty is not None:
                self._order(self._try_again(row.name, casualty.settings, Backoff(self._timing.uniform)))
            elif supervisor is not None:
                self._order(supervisor.resume(GRACE_SECONDS))

    def _order(self, order: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(order)
        self._orders.add(task)
        task.add_done_callback(self._orders.discard)

    # Looking

    def states(self) -> Mapping[str, ChannelState]:
        """By name, for every configured channel."""
        states = {
            name: ChannelState(
                state=one.channel.condition.state,
                reason=one.channel.condition.reason,
                refused=one.receiver.refused,
                quotas=one.channel.connector.context.accounts.quotas,
                credentials=one.channel.connector.context.accounts.credentials,
            )
            for name, one in self._supervisors.items()
        }
        lost = {name: ChannelState(state=STOPPED, reason=one.reason) for name, one in self._casualties.items()}
        return states | lost

    def accounts(self) -> Mapping[str, Accounts]:
        """What the connectors know of their accounts, by channel."""
        return {name: one.channel.connector.context.accounts for name, one in self._supervisors.items()}

    def policies(self) -> Mapping[str, Policy]:
        """By name, also for channels that are configured no more: what they left is still to be read."""
        policies = {name: one.channel.policy for name, one in self._supervisors.items()}
        for name, connector in self._once.items():
            if name not in policies and (policy := self._policy_of_kind(connector)):
                policies[name] = policy
        return policies

    def _policy_of_kind(self, connector: str) -> Policy | None:
        if connector not in self._leftovers:
            try:
                spec = self._find_class(connector).spec
            except Exception:  # that kind is not installed any more
                self._leftovers[connector] = None
            else:
                self._leftovers[connector] = policy_of(spec, ChannelSettings(connector=connector))
        return self._leftovers[connector]

    def connector_class(self, name: str) -> type[Connector[Any]]:
        """Of a channel there is or was. KeyError: never heard of it; ConfigError: its kind is not installed."""
        supervisor = self._supervisors.get(name)
        return type(supervisor.channel.connector) if supervisor else self._find_class(self._once[name])

    def parse(self, name: str, raw: Raw) -> Sequence[Message]:
        """A raw of the channel, read again as a worker reads it; large ones belong in a thread. Raises BadMessage,
        and what `connector_class` raises."""
        supervisor = self._supervisors.get(name)
        settings = supervisor.channel.settings if supervisor else ChannelSettings(connector=self._once[name])
        return self.connector_class(name).parse(raw, settings)
