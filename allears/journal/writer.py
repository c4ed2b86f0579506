"""The one thread that writes: everything that arrives while a commit runs goes into the next one."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from allears.journal.errors import JournalBroken, JournalUnavailable

T = TypeVar("T")
Item = TypeVar("Item")
Work = Callable[[sqlite3.Connection], T]
Together = Callable[[sqlite3.Connection, Sequence[Item]], Sequence[T]]
"""A step that does many items at once and gives a result for each."""

MAX_JOBS = 256
LATE_SECONDS = 0.005
"""After this no further small step of a later stage joins a transaction."""
_OWN_FAULT = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)
"""Errors of what a job asked for; any other is the file's or the disk's, and all of the group shares it."""
_BROKEN = ("malformed", "disk I/O error", "not a database")


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection with the journal's pragmas; transactions are opened by hand."""
    mode = "ro" if read_only else "rwc"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=10,
        cached_statements=256,
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -8192")
    connection.execute("PRAGMA temp_store = MEMORY")
    if not read_only:
        connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
    return connection


def run_apart(sql: sqlite3.Connection, work: Work[T]) -> tuple[T | None, Exception | None]:
    """Run a part of a transaction in a savepoint of its own: its result, or what went wrong with it alone.
    Raises what is wrong with the file or the disk, which concerns the whole transaction."""
    sql.execute("SAVEPOINT apart")
    result, failed = _run(sql, work)
    if failed is not None:
        sql.execute("ROLLBACK TO apart")
    sql.execute("RELEASE apart")
    return result, failed


def run_first(sql: sqlite3.Connection, work: Work[T]) -> tuple[T | None, Exception | None]:
    """`run_apart` for what nothing in the transaction precedes: where it fails the transaction begins anew."""
    result, failed = _run(sql, work)
    if failed is not None:
        sql.execute("ROLLBACK")
        sql.execute("BEGIN IMMEDIATE")
    return result, failed


def _run(sql: sqlite3.Connection, work: Work[T]) -> tuple[T | None, Exception | None]:
    try:
        return work(sql), None
    except Exception as error:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, _OWN_FAULT):
            raise
        return None, error


@dataclass(slots=True)
class _Job:
    work: Work[Any] | None
    future: asyncio.Future[Any]
    ring: Callable[[], None] | None
    urgent: bool
    together: Together[Any, Any] | None = None
    item: Any = None
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs jobs in one thread, in group commits. A job that raises is rolled back to its own savepoint."""

    def __init__(self, path: Path, on_broken: Callable[[str], None]) -> None:
        self._connection = connect(path)
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[list[_Job] | None] = queue.SimpleQueue()
        self._pending: list[_Job] = []
        self._on_broken = on_broken
        self._late: deque[_Job] = deque()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def submit(
        self, work: Work[T], *, ring: Callable[[], None] | None = None, urgent: bool = False
    ) -> asyncio.Future[T]:
        """Queue a job; the future ends after its commit. `ring` is called then, in the loop, whether or not
        anybody still waits. Urgent jobs (accepting) go before the others."""
        future: asyncio.Future[T] = self._loop.create_future()
        if self._closed:
            future.set_exception(JournalUnavailable("the journal is closed"))
        else:
            self._hand_over(_Job(work, future, ring, urgent))
        return future

    def submit_item(
        self, together: Together[Item, T], item: Item, *, ring: Callable[[], None] | None
    ) -> asyncio.Future[T]:
        """Queue an urgent item; all items of the same step that wait are done at once. When that fails each is done
        alone, in its own savepoint, so that only the guilty one pays."""
        future: asyncio.Future[T] = self._loop.create_future()
        if self._closed:
            future.set_exception(JournalUnavailable("the journal is closed"))
        else:
            self._hand_over(_Job(None, future, ring, True, together, item))
        return future

    async def close(self) -> None:
        """Finish what is queued."""
        if self._closed:
            return
        self._closed = True
        self._hand_over_pending()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def _hand_over(self, job: _Job) -> None:
        """All that one turn of the loop brings goes over at once: the thread is woken once for it."""
        self._pending.append(job)
        if len(self._pending) == 1:
            self._loop.call_soon(self._hand_over_pending)

    def _hand_over_pending(self) -> None:
        if self._pending:
            self._queue.put(self._pending)
            self._pending = []

    def _run(self) -> None:
        while True:
            jobs, ended = self._gather()
            if jobs:
                self._commit(jobs)
            if ended and not self._late:
                return

    def _gather(self) -> tuple[list[_Job], bool]:
        """All waiting urgent jobs and one other: a queue of large steps of later stages never delays a commit by
        more than one of them."""
        waiting, ended = self._drain(block=not self._late)
        self._late.extend(job for job in waiting if not job.urgent)
        jobs = [job for job in waiting if job.urgent]
        if self._late:
            jobs.append(self._late.popleft())
        return jobs, ended

    def _drain(self, *, block: bool) -> tuple[list[_Job], bool]:
        waiting: list[_Job] = []
        try:
            while len(waiting) < MAX_JOBS:
                jobs = self._queue.get(block=block)
                if jobs is None:
                    self._queue.put(None)
                    return waiting, True
                waiting += jobs
                block = False
        except queue.Empty:
            pass
        return waiting, False

    def _commit(self, jobs: list[_Job]) -> None:
        until = time.monotonic() + LATE_SECONDS
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._run_jobs(jobs)
            while self._late and time.monotonic() < until:
                jobs.append(self._late.popleft())
                self._run_job(jobs[-1])
            self._connection.execute("COMMIT")
        except BaseException as error:  # the whole group failed: nobody was told that anything is stored
            self._roll_back()
            for job in jobs:
                job.error = translated(error)
        self._call(self._resolve, jobs)

    def _run_jobs(self, jobs: Sequence[_Job]) -> None:
        groups: dict[Together[Any, Any], list[_Job]] = {}
        for job in jobs:
            if job.together is not None:
                groups.setdefault(job.together, []).append(job)
        for at, (together, members) in enumerate(groups.items()):
            self._run_together(together, members, run_apart if at else run_first)
        for job in jobs:
            if job.together is None:
                self._run_job(job)

    def _run_together(self, together: Together[Any, Any], jobs: Sequence[_Job], run: Any) -> None:
        results, error = run(self._connection, lambda sql: together(sql, [job.item for job in jobs]))
        if results is not None and error is None:
            for job, result in zip(jobs, results, strict=True):
                job.result = result
        else:
            for job in jobs:
                self._run_alone(together, job)

    def _run_alone(self, together: Together[Any, Any], job: _Job) -> None:
        job.result, job.error = run_apart(self._connection, lambda sql: together(sql, [job.item])[0])

    def _run_job(self, job: _Job) -> None:
        assert job.work is not None, "what has no group has work of its own"
        job.result, job.error = run_apart(self._connection, job.work)

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            self._call(self._on_broken, str(error))

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is gone; what was committed is on disk
            return

    def _resolve(self, jobs: list[_Job]) -> None:
        for job in jobs:
            if job.error is None:
                if job.ring:
                    job.ring()
                if not job.future.done():
                    job.future.set_result(job.result)
            elif not job.future.done():
                job.future.set_exception(job.error)
            if isinstance(job.error, JournalBroken):
                self._on_broken(str(job.error))


def translated(error: BaseException) -> BaseException:
    """SQLite's error as one of ours: can the file be trusted, or is it only not to be had just now."""
    text = str(error)
    if isinstance(error, sqlite3.Error):
        if any(sign in text for sign in _BROKEN):
            return JournalBroken(f"the journal cannot be trusted: {text}; stop, check the disk, restore a backup")
        return JournalUnavailable(f"the journal cannot be used just now: {text}")
    return error
