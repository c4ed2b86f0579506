"""Logging in to a channel with a person at the terminal; what comes of it goes into the journal's vault."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from allears.cli.failures import Exit, Failure
from allears.cli.house import has_journal, journal_of, quiet
from allears.cli.logins import Login, checked, component_of, with_component
from allears.cli.session import Session

if TYPE_CHECKING:
    from allears.journal.journal import Journal
    from allears.settings import Configuration


class Terminal:
    """`allears_sdk.connector.Ask`: shows on stderr, reads from stdin."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def show(self, url: str, code: str) -> None:
        key = "login_by_code" if code else "login_by_browser"
        self._session.note(self._session.say(key, url=url, code=code))

    async def prompt(self, text: str) -> str:
        self._session.note(text)
        return await _line()


async def log_in_personally(session: Session, configuration: Configuration, name: str) -> Login:
    """Raises Failure where there is nothing to log in to; the errors of the connector's `login` as they are."""
    from allears.context import Contexts
    from allears_sdk import registry
    from allears_sdk.connector import Connector

    settings, folder = configuration.channels[name], configuration.daemon.data_folder
    if registry.connector_class(settings.connector).login is Connector.login:
        raise Failure(session.say("no_login", name=name, kind=settings.connector), Exit.USAGE)
    if not has_journal(folder):
        raise Failure(session.say("no_journal_yet", folder=folder), Exit.JOURNAL)
    async with journal_of(session, folder) as journal:
        contexts = Contexts(journal, folder)
        try:
            with quiet():
                connector = component_of("channels", name, settings, contexts)
                login: Login = await with_component(connector, lambda: _log_in(session, connector, name))
        finally:
            await contexts.close()
        await _wake(journal, name, settings.connector)
    return login


async def _log_in(session: Session, connector: Any, name: str) -> Login:
    await connector.login(Terminal(session))
    session.note(session.say("login_kept"))
    return await checked(session, "channels", name, connector.spec.kind, connector.check)


async def _wake(journal: Journal, name: str, connector: str) -> None:
    """A running daemon heeds what it finds in the journal; a channel that an admin paused stays paused. One that the
    daemon has not noted yet may wait for this log-in already."""
    states = {row.name: row.state for row in await journal.channels()}
    if states.get(name) != "paused":
        await journal.order_channel(name, connector=connector, state="new")


async def _line() -> str:
    """The next line of stdin; "" at its end, or where it cannot be waited for. No thread: one that reads stdin
    outlives the command."""
    try:
        descriptor = sys.stdin.fileno()
    except (io.UnsupportedOperation, AttributeError, ValueError):
        return sys.stdin.readline().strip() if sys.stdin else ""
    ready, read = asyncio.Event(), b""
    loop = asyncio.get_running_loop()
    with suppress(OSError, NotImplementedError):  # a file or /dev/null; Windows
        loop.add_reader(descriptor, ready.set)
        try:
            while not read.endswith(b"\n"):
                ready.clear()
                await ready.wait()
                part = os.read(descriptor, 65_536)
                if not part:
                    break
                read += part
        finally:
            loop.remove_reader(descriptor)
    return read.decode("utf-8", "replace").strip()
