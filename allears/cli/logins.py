"""Logging in to channels and destinations, side by side, each with its own time limit."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from allears.cli.addresses import addresses_of
from allears.cli.house import contexts_of, quiet
from allears.cli.session import Session, table
from allears_sdk.errors import AllearsError

if TYPE_CHECKING:
    from allears.context import Contexts
    from allears.settings import Configuration
    from allears.settings.model_section import ModelSection
    from allears_sdk.connector import Identity

TIMEOUT_SECONDS = 20.0
_AT_ONCE = 16
_ROOM = re.compile(r"(?<![^\s：])/in/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What came of one. `result` is ok, failed or skipped."""

    section: str
    name: str
    kind: str
    result: str
    account: str = ""
    details: tuple[str, ...] = ()
    reason: str = ""

    def in_room(self, room: str) -> Login:
        """With whole addresses instead of paths of the public room: what to enter at the platform."""
        account, *details = (_ROOM.sub(lambda _: f"{room}/in/", line) for line in (self.account, *self.details))
        return replace(self, account=account, details=tuple(details))

    def moved(self, place: str, folder: str) -> Login:
        """With paths as they will be: before the first run they were those of a passing house."""
        return replace(
            self,
            account=self.account.replace(place, folder),
            details=tuple(line.replace(place, folder) for line in self.details),
            reason=self.reason.replace(place, folder),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    section: str
    name: str
    kind: str
    enabled: bool = True
    fault: str = ""
    settings: Any = None


def selected(configuration: Configuration, section: str) -> list[_Door]:
    """All of one section, those that cannot be used here with the reason."""
    word = "connector" if section == "channels" else "sink"
    usable = configuration.channels if section == "channels" else configuration.destinations
    doors = [
        _Door(section=section, name=name, kind=getattr(settings, word), enabled=settings.enabled, settings=settings)
        for name, settings in usable.items()
    ]
    broken = [one for one in configuration.disabled if one.section == section]
    return doors + [_Door(section=section, name=one.name, kind=one.kind, fault=one.reason) for one in broken]


async def log_in(
    configuration: Configuration,
    doors: Sequence[_Door],
    session: Session,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> list[Login]:
    """In the order given. Whatever goes wrong is a result, never an exception."""
    turnstile = asyncio.Semaphore(_AT_ONCE)
    folder, room = configuration.daemon.data_folder, addresses_of(configuration)["public"]
    async with contexts_of(folder) as (contexts, place):

        async def one(door: _Door) -> Login:
            async with turnstile:
                login = await _try(door, contexts, session, timeout_seconds)
                return login.moved(str(place), str(folder)).in_room(room)

        return list(await asyncio.gather(*(one(door) for door in doors)))


async def log_in_to_model(
    section: ModelSection, session: Session, timeout_seconds: float = TIMEOUT_SECONDS
) -> list[Login]:
    """Nothing where none is configured."""
    from urllib.parse import urlsplit

    if not section.is_complete:
        return []
    kind = urlsplit(section.base_url).netloc.rpartition("@")[2]
    if not section.enabled:
        return [Login(section="model", name=section.model, kind=kind, result="skipped")]
    from allears.cli.model_trial import check

    with quiet():
        return [
            await checked(
                session, "model", section.model, kind, lambda: check(section), timeout_seconds=timeout_seconds
            )
        ]


async def _try(door: _Door, contexts: Contexts, session: Session, timeout_seconds: float) -> Login:
    if door.fault:
        return Login(section=door.section, name=door.name, kind=door.kind, result="failed", reason=door.fault)
    if not door.enabled:
        return Login(section=door.section, name=door.name, kind=door.kind, result="skipped")
    return await checked(
        session, door.section, door.name, door.kind, lambda: _knock(door, contexts), timeout_seconds=timeout_seconds
    )


async def checked(
    session: Session,
    section: str,
    name: str,
    kind: str,
    check: Callable[[], Awaitable[Identity]],
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Login:
    """What came of `check`. Whatever goes wrong is a result, never an exception."""

    def login(result: str, **facts: Any) -> Login:
        return Login(section=section, name=name, kind=kind, result=result, **facts)

    try:
        async with asyncio.timeout(timeout_seconds):
            identity = await check()
    except TimeoutError:
        return login("failed", reason=session.say("timed_out", seconds=timeout_seconds))
    except AllearsError as error:
        return login("failed", reason=_masked(f"{error} ({error.detail})" if error.detail else str(error)))
    except Exception as error:  # a bug in one component must not hide the others' results
        return login("failed", reason=_masked(f"{type(error).__name__}: {error}"))
    return login("ok", account=identity.account, details=tuple(_said(line, session) for line in identity.details))


async def _knock(door: _Door, contexts: Contexts) -> Identity:
    component = component_of(door.section, door.name, door.settings, contexts)
    if door.section == "channels":
        identity: Identity = await with_component(component, component.check)
        return identity
    try:  # not started: a running daemon holds what `start` would take, a file's lock say
        found: Identity = await component.check()
        return found
    finally:
        await component.stop()


async def with_component(component: Any, work: Callable[[], Awaitable[Any]]) -> Any:
    """`start` and `stop` frame the work, also when it fails."""
    try:
        await component.start()
        return await work()
    finally:
        await component.stop()


def component_of(section: str, name: str, settings: Any, contexts: Contexts) -> Any:
    """A connector or sink as the daemon would make it."""
    from allears_sdk import registry

    if section == "channels":
        return registry.connector_class(settings.connector)(settings, contexts.channel(name))
    return registry.sink_class(settings.sink)(settings, contexts.destination(name))


def _said(line: str, session: Session) -> str:
    from allears_sdk.connector import Words

    return line.zh if session.language == "zh" and isinstance(line, Words) else str(line)


def _masked(text: str) -> str:
    from allears_sdk.masking import KINDS, mask_text

    return mask_text(text, KINDS)


def as_rows(logins: Sequence[Login]) -> list[dict[str, Any]]:
    return [asdict(login) for login in logins]


def as_table(logins: Sequence[Login], session: Session) -> str:
    header = [session.say(key) for key in ("section", "name", "kind", "result", "detail")]
    rows = [
        [
            session.say(login.section),
            login.name,
            login.kind,
            session.say(login.result),
            login.reason or session.say("semicolon").join([login.account, *login.details]),
        ]
        for login in logins
    ]
    return table(header, rows)
