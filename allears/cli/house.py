"""The parts of the house a command needs: clock, journal, contexts for logging in."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, TypeVar

from allears.cli.failures import Exit, Failure
from allears.cli.session import Session

if TYPE_CHECKING:
    from allears.context import Contexts
    from allears.journal.journal import Journal

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end."""
    return asyncio.run(work)


def has_journal(folder: Path) -> bool:
    """Raises PermissionError where that cannot be seen."""
    from allears.journal.opening import FILE

    try:
        return S_ISREG((folder / FILE).stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


@asynccontextmanager
async def journal_of(session: Session, folder: Path) -> AsyncIterator[Journal]:
    """The data folder's journal, shared with a running daemon; a Failure where there is none yet."""
    if not has_journal(folder):
        raise Failure(session.say("no_journal", folder=folder), Exit.JOURNAL)
    async with _opened(folder) as journal:
        yield journal


def daemon_is_up(folder: Path) -> bool:
    """Whether some daemon holds the data folder."""
    from allears.journal.errors import JournalInUse
    from allears.journal.opening import lock_folder

    try:
        lock_folder(folder).release()
    except JournalInUse:
        return True
    return False


@asynccontextmanager
async def contexts_of(folder: Path) -> AsyncIterator[tuple[Contexts, Path]]:
    """The daemon's own contexts, with its tokens, and where they lie. Before the first run: those of a house that
    lasts as long as the command, so that checking leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="allears-") as passing, quiet():
        place = folder if has_journal(folder) else Path(passing)
        async with _opened(place) as journal:
            from allears.context import Contexts

            contexts = Contexts(journal, place)
            try:
                yield contexts, place
            finally:
                await contexts.close()


@asynccontextmanager
async def _opened(folder: Path) -> AsyncIterator[Journal]:
    from allears.context import SystemClock
    from allears.journal.sqlite import open_journal

    journal = await open_journal(folder, SystemClock(), exclusive=False)
    try:
        yield journal
    finally:
        await journal.close()


@contextmanager
def quiet() -> Iterator[None]:
    """No log lines: what matters comes back as the result, and stdout carries nothing else."""
    import structlog

    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
