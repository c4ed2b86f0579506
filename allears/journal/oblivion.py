"""Forgetting as a command does it: on connections of its own, daemon up or down."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from allears.journal import forgetting, opening, sweeping
from allears.journal.blobs import Blobs
from allears.journal.finding import Found, Search
from allears.journal.forgetting import Past, Plan
from allears.journal.writer import connect, translated

T = TypeVar("T")
Report = Callable[[int, int], None]

BREATH_SECONDS = 0.005
"""Between two steps: a daemon beside us writes meanwhile."""
MOST_BYTES_BESIDE_A_DAEMON = 512 << 20
"""Writing a journal anew takes [0.45 s per 100 MB], in which nothing can be accepted: senders wait, or come again."""
_TRIES = 50
_TRY_SECONDS = 0.1


def search(folder: Path, text: str, without: Collection[str], report: Report) -> Found | None:
    """All that is kept of a customer. Raises ValueError for what can be nobody."""
    opening.prepare(folder)
    with _connected(folder, read_only=True) as sql:
        return Search(sql, Blobs(folder / "blobs"), report).find(text, without)


def past(folder: Path) -> list[Past]:
    opening.prepare(folder)
    with _connected(folder, read_only=True) as sql:
        return forgetting.past(sql)


def begin(folder: Path, plan: Plan, by: str, now: float) -> int:
    with _connected(folder) as sql:
        return _in_transaction(sql, lambda: forgetting.begin(sql, plan, by, now))


def go_on(folder: Path, now: float, report: Report) -> int:
    """Erase all that can be erased now, in small steps; how many things have to wait."""
    with _connected(folder) as sql:
        _in_transaction(sql, lambda: forgetting.wake(sql))
        erased, total = 0, forgetting.count_rows(sql)
        while done := _in_transaction(sql, lambda: forgetting.step(sql, now)):
            erased += done
            report(min(erased, total), total)
            time.sleep(BREATH_SECONDS)
        _remove_files(sql, folder, now)
        return forgetting.count_left(sql)


def compact(folder: Path, now: float, *, is_daemon_up: bool, force: bool = False) -> bool:
    """Write the file anew: pages keep traces of rows that once lay in them. False where it would take too long beside a
    running daemon, or there is no room for the copy."""
    with _connected(folder) as sql:
        size = (folder / opening.FILE).stat().st_size
        is_long = is_daemon_up and size > MOST_BYTES_BESIDE_A_DAEMON
        if (is_long and not force) or shutil.disk_usage(folder).free < 2 * size:
            return _empty_log(sql) and False
        try:
            sql.execute("VACUUM")
        except sqlite3.OperationalError:  # the daemon writes without a pause, or is copied just now
            return _empty_log(sql) and False
        _in_transaction(sql, lambda: forgetting.note_compacted(sql, now))
        return _empty_log(sql)


def is_compact(folder: Path) -> bool:
    with _connected(folder, read_only=True) as sql:
        return forgetting.is_compact(sql)


def _remove_files(sql: sqlite3.Connection, folder: Path, now: float) -> None:
    """Those that are a minute old, unless a backup is being made; the others are waited for."""
    blobs, until = Blobs(folder / "blobs"), time.monotonic() + sweeping.YOUNG_SECONDS + 1
    while names := forgetting.files_left(sql):
        gone = _remove_some(sql, folder, blobs, names, now)
        if not gone:
            if time.monotonic() > until:
                return
            time.sleep(_TRY_SECONDS)


def _remove_some(sql: sqlite3.Connection, folder: Path, blobs: Blobs, names: list[str], now: float) -> int:
    gone = 0
    try:
        with sweeping.removal(folder):
            for name in names:
                gone += _in_transaction(sql, partial(forgetting.forget_file, sql, blobs, name, now))
    except sweeping.HeldByBackup:
        return gone
    return gone


def _empty_log(sql: sqlite3.Connection) -> bool:
    """All of the log into the file, and the log to nothing; whether a reader has let us."""
    for _ in range(_TRIES):
        if not sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            return True
        time.sleep(_TRY_SECONDS)
    return False


def _in_transaction(sql: sqlite3.Connection, work: Callable[[], T]) -> T:
    sql.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        sql.execute("COMMIT")
    except BaseException:
        if sql.in_transaction:
            sql.execute("ROLLBACK")
        raise
    return result


@contextmanager
def _connected(folder: Path, *, read_only: bool = False) -> Iterator[sqlite3.Connection]:
    """Raises JournalBroken or JournalUnavailable."""
    try:
        with closing(connect(folder / opening.FILE, read_only=read_only)) as sql:
            yield sql
    except sqlite3.Error as error:
        raise translated(error) from error
