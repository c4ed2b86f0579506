"""Spans of time: what is asked, in which order, and what a list that moves cannot hide."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.connector import Batch
from allears_sdk.context import Context
from allears_sdk.errors import Unavailable
from allears_sdk.message import Raw
from allears_sdk.spans import Reach, Rows, Span, Spans
from allears_sdk.sweep import Listed
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STREAM = "s"


class Shop:
    """Rows by key: when, what and in which part. The newest is on the first page."""

    def __init__(self, size: int = 3) -> None:
        self.rows: dict[str, tuple[datetime, str, str]] = {}
        self.asked: list[tuple[Span, int]] = []
        self.size = size
        self.before: Callable[[], None] = lambda: None

    def put(self, key: str, at: datetime, text: str = "x", part: str = "") -> None:
        self.rows[key] = (at, text, part)

    async def ask(self, span: Span, page: int) -> Rows:
        self.before()
        self.asked.append((span, page))
        inside = [
            (at, key, text)
            for key, (at, text, part) in self.rows.items()
            if span.begin <= at <= span.end and part == span.part
        ]
        inside.sort(reverse=True)
        given = inside[(page - 1) * self.size : page * self.size]
        return Rows(items=[_listed(key, at, text) for at, key, text in given], total=len(inside))


def _listed(key: str, at: datetime, text: str) -> Listed:
    raw = Raw(key=key, digest=text, body=text.encode(), media_type="text/plain", received_at=START)
    return Listed(raws=(raw,), at=at)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def journal() -> MiniJournal:
    return MiniJournal()


@pytest.fixture
async def context(tmp_path: Path, clock: FakeClock, journal: MiniJournal) -> AsyncIterator[Context]:
    context = make_context("shop", tmp_path, clock=clock, known=journal.known)
    yield context
    await context.remote.aclose()


async def heard(context: Context, shop: Shop, journal: MiniJournal, **more: Any) -> list[Batch]:
    reach = Reach(width=more.pop("width", DAY), page_items=shop.size, **more.pop("reach", {}))
    spans = Spans(context, shop.ask, reach, look_back=more.pop("look_back", 7 * DAY), **more)
    found = []
    async for batch in spans.batches(journal.cursors.get(STREAM), 2):
        journal.accept(STREAM, batch)
        found.append(batch)
    return found


def keys(journal: MiniJournal) -> set[str]:
    return {raw.key for raw in journal.raws}


async def test_a_first_run_reads_the_look_back_in_closed_spans(context: Context, journal: MiniJournal) -> None:
    shop = Shop()
    for number in range(10):
        shop.put(f"k{number}", START - number * DAY - HOUR)
    batches = await heard(context, shop, journal)
    assert keys(journal) == {f"k{number}" for number in range(7)}
    assert all(span.end - span.begin <= DAY and span.end <= START - timedelta(seconds=60) for span, _ in shop.asked)
    assert [batch.more for batch in batches][-1] is False
    assert all(len(batch.raws) <= 2 for batch in batches)


async def test_a_row_that_leaves_while_it_is_read_hides_no_other(
    context: Context, journal: MiniJournal, clock: FakeClock
) -> None:
    shop = Shop(size=2)
    for number in range(8):
        shop.put(f"k{number}", START - timedelta(minutes=10 + number))

    def change_one() -> None:
        key = min(shop.rows, key=lambda one: shop.rows[one][0])
        shop.put(key, clock.now(), "changed")

    shop.before = change_one
    await heard(context, shop, journal, look_back=HOUR)
    shop.before = lambda: None
    clock.advance(HOUR)
    await heard(context, shop, journal)
    assert keys(journal) == {f"k{number}" for number in range(8)}


async def test_the_cursor_moves_with_whole_spans_alone(context: Context, journal: MiniJournal) -> None:
    shop = Shop()
    for number in range(4):
        shop.put(f"k{number}", START - timedelta(minutes=30 + number))
    batches = await heard(context, shop, journal, look_back=2 * HOUR, width=HOUR)
    assert [bool(batch.cursor) for batch in batches if batch.raws] == [False] * 3
    assert sum(bool(batch.cursor) for batch in batches) == 3


async def test_three_days_away_lose_nothing_and_more_than_the_window_is_a_gap(
    context: Context, journal: MiniJournal, clock: FakeClock
) -> None:
    shop, reach = Shop(), {"window": 5 * DAY}
    await heard(context, shop, journal, reach=reach, look_back=HOUR)
    clock.advance(3 * DAY)
    for number in range(70):
        shop.put(f"k{number}", START + number * HOUR)
    await heard(context, shop, journal, reach=reach)
    assert (len(journal.raws), journal.gaps) == (70, [])
    clock.advance(8 * DAY)
    await heard(context, shop, journal, reach=reach)
    (gap,) = journal.gaps
    assert (gap.since, gap.until) == (START + 3 * DAY - timedelta(seconds=60), START + 6 * DAY)


async def test_a_span_with_too_many_rows_is_halved(context: Context, journal: MiniJournal) -> None:
    shop = Shop()
    for number in range(40):
        shop.put(f"k{number}", START - timedelta(minutes=20) - number * timedelta(seconds=7))
    await heard(context, shop, journal, reach={"most": 9}, look_back=HOUR)
    assert (len(keys(journal)), journal.gaps) == (40, [])


async def test_more_in_one_second_than_is_given_is_a_gap(context: Context, journal: MiniJournal) -> None:
    shop, at = Shop(), START - timedelta(minutes=20)
    for number in range(12):
        shop.put(f"k{number}", at)
    await heard(context, shop, journal, reach={"most": 9}, look_back=HOUR)
    assert journal.gaps
    assert all(gap.since is not None and gap.since <= at <= gap.until for gap in journal.gaps)
    assert len(keys(journal)) == 9


async def test_a_total_that_cannot_be_is_not_believed_for_ever(context: Context, journal: MiniJournal) -> None:
    shop = Shop()

    async def ask(span: Span, page: int) -> Rows:
        shop.asked.append((span, page))
        return Rows(items=[], total=10**12)

    spans = Spans(context, ask, Reach(width=DAY, page_items=50, most=100), look_back=timedelta(seconds=63))
    async for batch in spans.batches(None, 10):
        journal.accept(STREAM, batch)
    assert len(shop.asked) < 3000


async def test_edits_that_the_order_hides_are_found_by_reading_again(
    context: Context, journal: MiniJournal, clock: FakeClock
) -> None:
    shop, again = Shop(), {"every": DAY, "depth": 30 * DAY}
    shop.put("old", START - 20 * DAY)
    shop.put("older", START - 40 * DAY)
    shop.put("new", START - DAY)
    await heard(context, shop, journal, **again)
    assert {raw.key: raw.baseline for raw in journal.raws} == {"new": False, "old": True}
    shop.put("old", START - 20 * DAY, "edited")
    await heard(context, shop, journal, **again)
    assert len(journal.raws) == 2
    clock.advance(DAY)
    await heard(context, shop, journal, **again)
    assert [(raw.key, raw.digest, raw.baseline) for raw in journal.raws[2:]] == [("old", "edited", False)]


async def test_reading_again_goes_on_where_it_broke_off(
    context: Context, journal: MiniJournal, clock: FakeClock
) -> None:
    shop, again = Shop(), {"every": DAY, "depth": 30 * DAY}
    for number in range(30):
        shop.put(f"k{number}", START - number * DAY - HOUR)
    count = 0

    def fail() -> None:
        nonlocal count
        count += 1
        if count == 20:
            raise Unavailable("down")

    shop.before = fail
    with pytest.raises(Unavailable):
        await heard(context, shop, journal, **again)
    done, shop.before = len(shop.asked), lambda: None
    await heard(context, shop, journal, **again)
    assert len(keys(journal)) == 30
    assert len(shop.asked) - done < 25, "it began anew"


async def test_lists_that_together_hold_everything(context: Context, journal: MiniJournal) -> None:
    shop = Shop()
    shop.put("a", START - HOUR, part="2")
    shop.put("b", START - HOUR, part="3")
    await heard(context, shop, journal, reach={"parts": ("2", "3")}, look_back=2 * HOUR)
    assert keys(journal) == {"a", "b"}
