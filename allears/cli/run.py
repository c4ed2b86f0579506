"""`allears run`: the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from allears.cli.addresses import chats, inboxes
from allears.cli.failures import Exit
from allears.cli.session import Session, configured, with_session

if TYPE_CHECKING:
    from allears.daemon import Daemon
    from allears.settings import Configuration


@click.command()
@configured
@with_session
def run(session: Session) -> None:
    """Replaced by the text of the reader's language."""
    from importlib.metadata import version

    configuration = session.configuration()
    source = configuration.source or session.say("built_in")
    session.note(session.say("starting", version=version("allears"), source=source))
    code = _serve(session, configuration)
    _leave_behind_what_hangs(code)
    raise click.exceptions.Exit(code)


def _serve(session: Session, configuration: Configuration) -> int:
    import asyncio
    import sys

    from allears.daemon import run as serve

    def announce(daemon: Daemon) -> None:
        """Where a person finds the console, every form, chat and watched folder; the ports are open now."""
        watched = inboxes(configuration)
        forms = [session.say("form_at", url=url) for url in daemon.form_urls]
        talks = [f"{daemon.public_url}/in/{name}" for name in chats(configuration)]
        addresses = {"console": daemon.console_url, "forms": daemon.form_urls, "chats": talks}
        session.emit(
            {**addresses, "inboxes": [str(path) for path in watched]},
            session.say("console_at", url=daemon.console_url),
            *forms,
            *(session.say("chat_at", url=url) for url in talks),
            *(session.say("folder_at", path=path) for path in watched),
        )
        sys.stdout.flush()

    try:
        if sys.platform == "win32":
            return asyncio.run(serve(configuration, announce))
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(serve(configuration, announce))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def _leave_behind_what_hangs(code: int) -> None:
    """A blocking call that never returns would hold the process for ever; the journal is closed by now."""
    import os
    import sys
    import threading
    import time

    deadline = time.monotonic() + 1
    while any(thread.name.startswith("blocking") for thread in threading.enumerate()):
        if time.monotonic() > deadline:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        time.sleep(0.01)
