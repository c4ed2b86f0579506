"""The writing thread: group commits, isolation, and what happens when a commit fails."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from allears.journal.errors import JournalBroken, JournalUnavailable
from allears.journal.writer import Writer, connect

Work = Callable[[sqlite3.Connection], object]


class Bench:
    """A writer on a table of words."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broken: list[str] = []
        with closing(connect(path)) as sql:
            sql.execute("CREATE TABLE said (word TEXT PRIMARY KEY, body BLOB)")
        self.writer = Writer(path, self.broken.append)

    def put(self, word: str, body: bytes = b"", *, urgent: bool = True) -> asyncio.Future[object]:
        return self.writer.submit(insert(word, body), urgent=urgent)

    def words(self) -> list[str]:
        with closing(sqlite3.connect(self.path)) as sql:
            return [row[0] for row in sql.execute("SELECT word FROM said ORDER BY rowid")]

    def hold(self) -> threading.Event:
        """Keep the thread busy until the event is set, so that what comes meanwhile shares a commit."""
        gate = threading.Event()
        self.held = self.writer.submit(lambda sql: gate.wait(10), urgent=True)
        return gate


def insert(word: str, body: bytes = b"") -> Work:
    return lambda sql: sql.execute("INSERT INTO said VALUES (?,?)", (word, body)).rowcount


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path / "words.sqlite3")
    try:
        yield bench
    finally:
        await bench.writer.close()


async def test_what_comes_while_a_commit_runs_shares_the_next(bench: Bench) -> None:
    commits: list[int] = []
    gate = bench.hold()
    puts = [bench.put(f"投诉 {number}") for number in range(100)]
    for put in puts:
        put.add_done_callback(lambda _: commits.append(len(bench.words())))
    gate.set()
    await asyncio.gather(*puts)
    await asyncio.sleep(0)
    assert set(commits) == {100}, "the first to be told was told when all hundred were stored"


async def test_a_poisoned_job_rolls_back_only_itself(bench: Bench) -> None:
    def poison(sql: sqlite3.Connection) -> None:
        insert("half")(sql)
        raise LookupError("halfway")

    gate = bench.hold()
    before, bad, twin, after = (
        bench.put("before"),
        bench.writer.submit(poison, urgent=True),
        bench.put("before"),
        bench.put("after"),
    )
    gate.set()
    results = await asyncio.gather(before, bad, twin, after, return_exceptions=True)
    assert [type(result) for result in results] == [int, LookupError, sqlite3.IntegrityError, int]
    assert bench.words() == ["before", "after"]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda sql: sql.execute("SELECT zeroblob(2000000000)").fetchone(), id="too big for a row"),
        pytest.param(lambda sql: sql.execute("SELECT ?", ("\ud800",)), id="a lone surrogate"),
        pytest.param(lambda sql: sql.execute("SELECT ?", (1 << 70,)), id="an integer too large"),
        pytest.param(lambda sql: sql.execute("SELECT ?", (object(),)), id="no value at all"),
    ],
)
async def test_values_that_cannot_be_stored_are_the_jobs_own_fault(bench: Bench, fault: Work) -> None:
    gate = bench.hold()
    good, bad, other = bench.put("good"), bench.writer.submit(fault, urgent=True), bench.put("other")
    gate.set()
    results = await asyncio.gather(good, bad, other, return_exceptions=True)
    assert isinstance(results[1], Exception)
    assert not isinstance(results[1], JournalUnavailable | JournalBroken)
    assert bench.words() == ["good", "other"]
    assert not bench.broken


async def test_a_full_disk_refuses_the_whole_group_and_stores_nothing(bench: Bench) -> None:
    await bench.put("kept")
    await bench.writer.submit(lambda sql: sql.execute("PRAGMA max_page_count = 8").fetchone())
    gate = bench.hold()
    puts = [bench.put("small"), bench.put("large", b"x" * 200_000), bench.put("later")]
    gate.set()
    results = await asyncio.gather(*puts, return_exceptions=True)
    assert [type(result) for result in results] == [JournalUnavailable] * 3
    assert bench.words() == ["kept"]
    assert not bench.broken, "a full disk is no reason to end the process"
    await bench.writer.submit(lambda sql: sql.execute("PRAGMA max_page_count = 1000000").fetchone())
    await bench.put("large", b"x" * 200_000)
    assert bench.words() == ["kept", "large"]


async def test_a_bell_rings_after_the_commit_even_when_nobody_waits(bench: Bench) -> None:
    rung: list[list[str]] = []
    gate = bench.hold()
    given_up = bench.writer.submit(insert("rung"), ring=lambda: rung.append(bench.words()), urgent=True)
    failed = bench.writer.submit(insert("rung"), ring=lambda: rung.append(["never"]), urgent=True)
    given_up.cancel()
    gate.set()
    with pytest.raises(sqlite3.IntegrityError):
        await failed
    assert rung == [["rung"]]


async def test_an_urgent_job_waits_for_one_other_at_most(bench: Bench) -> None:
    """A queue of slow steps of later stages: an accept goes between any two."""
    order: list[str] = []

    def slow(number: int) -> Work:
        def work(sql: sqlite3.Connection) -> None:
            time.sleep(0.02)
            order.append(f"slow {number}")

        return work

    others = [bench.writer.submit(slow(number)) for number in range(30)]
    for number in range(4):
        await asyncio.sleep(0.03)
        done = len(order)
        await bench.put(f"urgent {number}")
        assert len(order) - done <= 2, "the one that ran when it came, and one beside it"
    assert len(order) < 30
    await asyncio.gather(*others)
    assert order == [f"slow {number}" for number in range(30)], "the others keep their order"


async def test_others_are_not_starved_by_urgent_jobs(bench: Bench) -> None:
    gate = bench.hold()
    puts = [bench.put(f"urgent {number}") for number in range(600)]
    other = bench.put("other", urgent=False)
    gate.set()
    await other
    assert bench.words().index("other") <= 600
    await asyncio.gather(*puts)


async def test_small_steps_of_later_stages_share_commits_too(bench: Bench) -> None:
    commits: list[int] = []
    gate = bench.hold()
    puts = [bench.put(f"delivery {number}", urgent=False) for number in range(200)]
    for put in puts:
        put.add_done_callback(lambda _: commits.append(len(bench.words())))
    gate.set()
    await asyncio.gather(*puts)
    await asyncio.sleep(0)
    assert len(set(commits)) < 40
    assert bench.words() == [f"delivery {number}" for number in range(200)]


async def test_closing_finishes_what_is_queued(bench: Bench) -> None:
    gate = bench.hold()
    puts = [bench.put(f"{number}", urgent=number % 2 == 0) for number in range(300)]
    gate.set()
    await bench.writer.close()
    await asyncio.gather(*puts)
    assert len(bench.words()) == 300
    with pytest.raises(JournalUnavailable, match="closed"):
        await bench.put("late")


async def test_another_writer_who_holds_the_file_makes_it_unavailable(bench: Bench) -> None:
    await bench.writer.submit(lambda sql: sql.execute("SELECT 1").fetchone())
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as other:
        bench.writer._connection.execute("PRAGMA busy_timeout = 50")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalUnavailable, match="locked"):
            await bench.put("refused")
        other.execute("ROLLBACK")
    await bench.put("taken")
    assert bench.words() == ["taken"]


async def test_a_damaged_file_is_reported_as_broken(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "words.sqlite3")
    await asyncio.gather(*(bench.put(f"投诉 {number}", b"x" * 3000) for number in range(200)))
    await bench.writer.close()
    content = bytearray(bench.path.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    bench.path.write_bytes(content)
    writer = Writer(bench.path, bench.broken.append)
    with pytest.raises(JournalBroken, match="restore a backup"):
        await writer.submit(insert("another"), urgent=True)
    await writer.close()
    assert bench.broken
