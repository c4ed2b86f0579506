"""The daemon put together: journal, intake, filing, delivery and the two HTTP rooms, started and stopped in order."""

from __future__ import annotations

import asyncio
import gc
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from typing import Any, cast

import structlog

from allears import logs
from allears.attachments import Attachments
from allears.context import Contexts, LazyRemote, SystemClock, secret
from allears.delivery.engine import Engine
from allears.delivery.replies import ReplySink, reply_settings
from allears.fetching.stage import Fetching
from allears.filing.acknowledging import responder
from allears.filing.destinations import routing_of
from allears.filing.identity import Seal
from allears.filing.knowledge import Knowledge, Library
from allears.filing.model_step import ModelStep
from allears.filing.own_addresses import own_addresses
from allears.filing.routing import answering, to_all
from allears.filing.stage import Filing, Reader
from allears.housekeeping import Housekeeping
from allears.http.admin import AdminServer
from allears.http.beside import Beside
from allears.http.public import PublicServer
from allears.intake.intake import Intake
from allears.intake.timing import Timing
from allears.journal.errors import JournalInUse, JournalUnavailable
from allears.journal.records import REPLIES, Policy, Responder
from allears.journal.sqlite import open_journal
from allears.settings import Configuration, changed, load
from allears.standing import Holder, Standing
from allears.workers import heap
from allears.workers.ordeal import try_patterns
from allears.workers.pool import Workers
from allears_sdk import registry
from allears_sdk.connector import Connector, Threading
from allears_sdk.errors import AllearsError, ConfigError
from allears_sdk.settings import ChannelSettings, DestinationSettings
from allears_sdk.sink import Sink
from normalizer.conversation import Facts
from normalizer.rules.pack import version_of

SWEEP_SECONDS = 1.0
POKE_SECONDS = 5.0
"""What a command wrote is looked for this often at least: one that wrote while we started may go unnoticed."""
PUBLIC_SHARE = 0.3
"""Of the seconds for stopping: how long running requests may take to end."""
SWITCH_SECONDS = 0.001
"""The writing thread waits this long at most for the interpreter's lock, with a busy loop beside it."""
GARBAGE_THRESHOLD = 20_000
MIN_FREE_BYTES = 256 << 20
MAX_BACKLOG = timedelta(minutes=15)

READ_ANEW = frozenset({"routing", "routes", "customers", "catalogue", "model", "rules", "retention", "understanding"})
"""Sections that a reload puts in force; all others are read at the start only."""

EXIT_OK, EXIT_CONFIG, EXIT_JOURNAL = 0, 3, 4

log = structlog.get_logger("allears.daemon")


class Daemon:
    """One allears. `start` it, `reload` it, `stop` it; `broken` is set when it must not go on."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.broken = asyncio.Event()
        self.clock = SystemClock()
        self._folder = configuration.daemon.data_folder
        self._parts = AsyncExitStack()
        self._stop_by = 0.0
        self._backlog_reason = ""
        self._foreign_changes: int | None = None
        self._poke_at = self.clock.monotonic() + POKE_SECONDS

    async def start(self) -> None:
        """Each part is stopped in the reverse order. Raises JournalInUse, JournalUnavailable or ConfigError."""
        async with AsyncExitStack() as parts:
            await try_patterns(self.configuration)
            self.journal = await open_journal(self._folder, self.clock, on_broken=self._break)
            parts.push_async_callback(self.journal.close)
            await self._start_stages(parts)
            await self._start_rooms(parts)
            self._start_task(parts, self._sweep(), "sweep")
            self._parts = parts.pop_all()
        log.info("started", version=version("allears"), data_folder=str(self._folder), console=self.console_url)

    async def stop(self) -> None:
        """Stop hearing, finish what runs, close the journal: all within `stop_seconds`. Nothing is lost after it."""
        self._stop_by = self.clock.monotonic() + self.configuration.daemon.stop_seconds
        await self._parts.aclose()
        log.info("stopped")

    async def reload(self, configuration: Configuration) -> None:
        """Swap changed channels and destinations; the rest goes on undisturbed. Raises ConfigError, and changes nothing
        then, for rules that no text should meet."""
        changes = changed(self.configuration, configuration)
        if "rules" in changes.sections:
            await try_patterns(configuration)
        restart = sorted(changes.sections - READ_ANEW)
        if restart:
            log.warning("restart_needed", sections=restart, reason="these sections are read at the start only")
        self.configuration = configuration
        await self._apply()
        log.info("reloaded", channels=str(changes.channels), destinations=str(changes.destinations))

    @property
    def console_url(self) -> str:
        return f"http://{_shown(self.configuration.admin.host)}:{self._admin.port}"

    @property
    def public_url(self) -> str:
        public = self.configuration.public
        return public.base_url.rstrip("/") or f"{self._public.scheme}://{_shown(public.host)}:{self._public.port}"

    @property
    def form_urls(self) -> list[str]:
        return [f"{self.public_url}/in/{name}" for name in self._intake.channels_of("form")]

    # Putting together

    async def _start_stages(self, parts: AsyncExitStack) -> None:
        self._attachments = Attachments(
            self.journal,
            lambda: self._intake,
            base_url=self.configuration.public.base_url,
            key=await asyncio.to_thread(secret, self._folder, "links"),
        )
        self._contexts = Contexts(self.journal, self._folder, self.clock, files=self._attachments)
        parts.push_async_callback(self._contexts.close)
        self._engine = Engine(self.journal, self.clock)
        await self._engine.start()
        parts.push_async_callback(lambda: self._engine.stop(self._left(0.9)))
        workers = Workers(self.configuration.daemon.workers)
        self._library = Library(workers)
        self._seal = Seal(await asyncio.to_thread(secret, self._folder, "identity"))
        self._filing = Filing(self.journal, workers, self.clock, {}, to_all(()))
        self._model = self._filing.model = self._make_model(parts)
        self._intake = Intake(
            self.journal, self._contexts, Timing(clock=self.clock), backlog=lambda: self._backlog_reason
        )
        self._housekeeping = Housekeeping(self.journal, self.clock, self.configuration.retention)
        await self._intake.start()
        parts.push_async_callback(lambda: self._intake.stop(self._left(0.5)))
        await self._apply()
        chats = {name: one for name, one in self._intake.policies().items() if one.threading is Threading.CHAT}
        await self.journal.resume_timers({name: one.settle_seconds for name, one in chats.items()})
        self._start_task(parts, self._filing.run(), "filing")
        fetching = Fetching(self.journal, self.clock, self._intake, is_full=self._is_disk_full)
        self._start_task(parts, fetching.run(), "fetching")
        self._start_task(parts, self._housekeeping.run(), "housekeeping")
        warning = timedelta(days=self.configuration.daemon.credential_warning_days)
        self._standing = Standing(self._contexts.quotas, self._holders, self.clock, warning=warning)
        self._start_task(parts, self._standing.run(), "standing")

    def _make_model(self, parts: AsyncExitStack) -> ModelStep:
        """With a client of its own: a slow endpoint takes no connection from channels."""
        from allears_sdk.remote import Remote

        remote = LazyRemote(lambda: Remote(clock=self.clock))
        parts.push_async_callback(remote.close)
        return ModelStep(self.journal.answers, cast("Remote", remote), self.clock)

    async def _start_rooms(self, parts: AsyncExitStack) -> None:
        public, admin = self.configuration.public, self.configuration.admin
        self._public = PublicServer(
            self._intake,
            self.clock,
            beside=Beside(self._attachments, self._engine, self.journal, self.clock),
            host=public.host,
            port=public.port,
            trusted_proxies=public.trusted_proxies,
            max_body_bytes=public.max_body_bytes,
            rate_limit_per_minute=public.rate_limit_per_minute,
            tls_certificate=public.tls_certificate,
            tls_key=public.tls_key,
            grace_seconds=self.configuration.daemon.stop_seconds * PUBLIC_SHARE,
        )
        await self._public.start()
        parts.push_async_callback(self._public.stop)
        self._admin = AdminServer(
            self.journal,
            self._intake,
            clock=self.clock,
            host=admin.host,
            port=admin.port,
            token=admin.token.get_secret_value() if admin.token else "",
            username=admin.username,
            password=admin.password.get_secret_value() if admin.password else "",
            language=self.configuration.daemon.language,
            public_url=self.public_url,
            allowed_hosts=admin.allowed_hosts,
            model=self._model,
            standing=self._standing,
            version=version("allears"),
        )
        await self._admin.start()
        parts.push_async_callback(self._admin.stop)

    def _left(self, share: float) -> float:
        """A part's share of the seconds that are left for stopping."""
        return max(0.1, (self._stop_by - self.clock.monotonic()) * share)

    def _start_task(self, parts: AsyncExitStack, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        def note(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception():
                log.error("stage_died", stage=name, exc_info=task.exception())
                self.broken.set()

        task.add_done_callback(note)
        parts.push_async_callback(end)

    async def _apply(self) -> None:
        """Make channels and destinations those of the configuration. Destinations first: nothing is filed nowhere."""
        understanding = self.configuration.understanding
        await self._engine.apply(self._sinks(), self.configuration.daemon.stop_seconds)
        self._model.apply(self.configuration.model)
        self._filing.encoder = understanding.encoder if understanding.listens else "never"
        self._housekeeping.settings = self.configuration.retention
        self._filing.router = answering(routing_of(self.configuration), self._responders())
        self._filing.knowledge = await self._know()
        await self._intake.apply(self.configuration.channels)
        policies = self._intake.policies()
        self._filing.readers = {name: self._reader(name, policy) for name, policy in policies.items()}
        self._filing.rules = own = self.configuration.own_rules
        log.info("rules", version=version_of(text for _, text in own.files), encoder=self._filing.encoder)
        self.journal.bells.ring_all()

    async def _know(self) -> Knowledge:
        """Customers and products, read anew: their files may have changed though the configuration has not."""
        section = self.configuration.customers
        customers, catalogue = await self._library.read(section, self.configuration.catalogue)
        return Knowledge(seal=self._seal, clock=self.clock, section=section, customers=customers, catalogue=catalogue)

    def _sinks(self) -> Mapping[str, tuple[Sink[Any], DestinationSettings]]:
        sinks: dict[str, tuple[Sink[Any], DestinationSettings]] = {}
        for name, settings in self.configuration.enabled_destinations.items():
            made = self._engine.sink(name, settings)
            sinks[name] = (
                made or registry.sink_class(settings.sink)(settings, self._contexts.destination(name)),
                settings,
            )
        return {**sinks, **self._replies()}

    def _replies(self) -> Mapping[str, tuple[Sink[Any], DestinationSettings]]:
        """A destination of its own for the answers of each channel that acknowledges."""
        sinks: dict[str, tuple[Sink[Any], DestinationSettings]] = {}
        for name, channel in self.configuration.enabled_channels.items():
            if channel.acknowledges is not None:
                settings = reply_settings(channel.acknowledges)
                find = partial(self._intake.connector, name)
                made = self._engine.sink(REPLIES + name, settings)
                sinks[REPLIES + name] = (made or ReplySink(settings, self._contexts.channel(name), find), settings)
        return sinks

    def _responders(self) -> dict[str, Responder]:
        return {
            name: responder(name, channel, channel.acknowledges, self.clock)
            for name, channel in self.configuration.enabled_channels.items()
            if channel.acknowledges is not None
        }

    def _reader(self, name: str, policy: Policy) -> Reader:
        settings = self.configuration.channels.get(name) or ChannelSettings(connector="")
        kind = self._intake.connector_class(name)
        facts = Facts(
            channel=name,
            connector=kind.spec.kind,
            region=settings.region,
            max_rating=settings.max_rating,
            own=own_addresses(settings),
        )
        return Reader(policy=policy, facts=facts, settings=None if kind.parse is Connector.parse else settings)

    def _holders(self) -> list[Holder]:
        """Who has accounts at vendors."""
        channels = (("channel", name, accounts) for name, accounts in self._intake.accounts().items())
        sinks = (("destination", name, accounts) for name, accounts in self._engine.accounts().items())
        return [Holder(kind=kind, name=name, accounts=accounts) for kind, name, accounts in (*channels, *sinks)]

    # Watching

    async def _sweep(self) -> None:
        """Notice what commands wrote from outside, and how far the stages are behind."""
        while True:
            try:
                await self._look_around()
            except JournalUnavailable as error:
                self._backlog_reason = str(error)
            await asyncio.sleep(SWEEP_SECONDS)

    async def _look_around(self) -> None:
        changes = await self.journal.foreign_changes()
        is_time = self.clock.monotonic() >= self._poke_at
        if is_time or self._foreign_changes not in (None, changes):
            self._poke_at = self.clock.monotonic() + POKE_SECONDS
            self.journal.bells.ring_all()
            await self._intake.poke()
        self._foreign_changes = changes
        self._backlog_reason = await self._why_wait()

    async def _why_wait(self) -> str:
        """Why pollers should read nothing new for now; pushes are stored as long as there is room."""
        if self._is_disk_full():
            return "the disk is nearly full"
        oldest = await self.journal.oldest_waiting()
        if oldest is not None and self.clock.now() - oldest > MAX_BACKLOG:
            return "reading is behind what was heard"
        return ""

    def _is_disk_full(self) -> bool:
        return shutil.disk_usage(self._folder).free < MIN_FREE_BYTES

    def _break(self, reason: str) -> None:
        log.critical("journal_broken", reason=reason)
        self.broken.set()


async def run(configuration: Configuration, on_ready: Callable[[Daemon], None] = lambda daemon: None) -> int:
    """Run until SIGTERM or SIGINT; SIGHUP reads the configuration file again. Returns the exit code."""
    sys.setswitchinterval(SWITCH_SECONDS)
    heap.share()
    logs.configure(configuration.daemon.log_format, configuration.daemon.log_level)
    daemon = Daemon(configuration)
    signals = _Signals()
    try:
        await daemon.start()
    except ConfigError as error:
        log.error("cannot_start", reason=str(error))
        return EXIT_CONFIG
    except (JournalInUse, AllearsError) as error:
        log.error("cannot_start", reason=str(error))
        return EXIT_JOURNAL
    on_ready(daemon)
    _settle_garbage()
    try:
        await _serve(daemon, signals)
    finally:
        await daemon.stop()
    return EXIT_JOURNAL if daemon.broken.is_set() else EXIT_OK


def _settle_garbage() -> None:
    """What is there now stays: the collector need not walk through it for every few hundred messages
    [10 % more posts a second]."""
    gc.collect()
    heap.give_back()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)


class _Signals:
    """Listened for before the start: a stop or reload that comes meanwhile waits for its end."""

    def __init__(self) -> None:
        self.ended, self.hung_up = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ended.set)
        loop.add_signal_handler(signal.SIGHUP, self.hung_up.set)


async def _serve(daemon: Daemon, signals: _Signals) -> None:
    waits = [asyncio.create_task(event.wait()) for event in (signals.ended, daemon.broken)]
    reloads = asyncio.create_task(_reload_when_asked(daemon, signals.hung_up))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*waits, reloads):
            task.cancel()


async def _reload_when_asked(daemon: Daemon, hung_up: asyncio.Event) -> None:
    while True:
        await hung_up.wait()
        hung_up.clear()
        try:
            await daemon.reload(await asyncio.to_thread(load, daemon.configuration.source))
        except AllearsError as error:
            log.error("reload_refused", reason=str(error), advice="the old configuration goes on; mend the file")
        except Exception:
            log.exception("reload_failed")


def _shown(host: str) -> str:
    """An address people can open, for one that is only good for listening."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 compared, not bound
    return f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown
