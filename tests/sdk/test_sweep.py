"""Lists that are newest first, shift while they are read and hide edits: nothing is lost, nothing old is filed."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allears_sdk.connector import Batch, Cursor
from allears_sdk.errors import Rejected, RetryLater, Unavailable
from allears_sdk.message import Raw
from allears_sdk.sweep import Listed, Page, Sweep, digest_of
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
STREAM = "shop"


@dataclass
class Shop:
    """Reviews by number: when each was written, and what it says. Pages are counted, so they shift."""

    size: int = 3
    pages_given: int = 1000
    is_newest_first: bool = True
    reviews: dict[str, tuple[datetime | None, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    before: dict[int, Callable[[], None]] = field(default_factory=dict)
    """By number of the request: what happens in the shop just then."""

    def write(self, name: str, at: datetime | None, text: str = "坏了") -> None:
        self.reviews[name] = (at, text)

    async def page(self, position: str) -> Page:
        if event := self.before.get(len(self.asked)):
            event()
        self.asked.append(position)
        listed = sorted(
            self.reviews.items(), key=lambda one: (one[1][0] or START, one[0]), reverse=self.is_newest_first
        )
        number = int(position or 1)
        shown = listed[(number - 1) * self.size : number * self.size]
        has_more = len(listed) > number * self.size
        is_last = not has_more or number == self.pages_given
        items = [Listed(raws=(raw_of(name, text),), at=at) for name, (at, text) in shown]
        return Page(items=items, next="" if is_last else str(number + 1), is_whole=number < self.pages_given)


def raw_of(name: str, text: str) -> Raw:
    return Raw(key=name, digest=digest_of(text), body=text.encode(), media_type="text/plain", received_at=START)


class Reader:
    """A sweep of a shop, its journal and its clock."""

    def __init__(self, folder: Path, shop: Shop, **options: Any) -> None:
        self.shop = shop
        self.clock = FakeClock()
        self.journal = MiniJournal()
        self._folder = folder
        self._options = {"look_back": 7 * DAY, "every": DAY, **options}
        self.restart()

    def restart(self) -> None:
        context = make_context("shop", self._folder, clock=self.clock, known=self.journal.known)
        self._sweep = Sweep(context, self.shop.page, **self._options)

    async def poll(self, *, limit: int = 10, die_at: int = 1000) -> list[str]:
        """The names of what is filed; the newest first where they come from one page."""
        before, count = len(self.journal.raws), 0
        async for batch in self._sweep.batches(self.cursor, limit):
            assert len(batch.raws) <= limit
            if count == die_at:
                self.restart()
                break
            self.journal.accept(STREAM, batch)
            count += 1
        return [raw.key for raw in self.journal.raws[before:] if not raw.baseline]

    def forget(self, keys: list[str]) -> None:
        self._sweep.forget(keys)

    @property
    def cursor(self) -> Cursor | None:
        return self.journal.cursors.get(STREAM)

    @property
    def baseline(self) -> set[str]:
        return {raw.key for raw in self.journal.raws if raw.baseline}


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def reader(shop: Shop, tmp_path: Path) -> Reader:
    return Reader(tmp_path, shop)


def fill(shop: Shop, count: int, *, age: timedelta = 10 * DAY) -> None:
    for number in range(count):
        shop.write(f"old{number:02}", START - age - number * DAY)


async def test_a_first_run_files_the_look_back_and_knows_the_rest(shop: Shop, reader: Reader) -> None:
    fill(shop, 20)
    shop.write("yesterday", START - DAY)
    assert await reader.poll(limit=2) == ["yesterday"]
    assert len(reader.baseline) == 20
    assert await reader.poll() == []


async def test_an_edit_at_the_top_is_heard_at_once_and_one_deep_down_within_a_day(shop: Shop, reader: Reader) -> None:
    fill(shop, 20)
    shop.write("new", START - HOUR)
    await reader.poll()
    shop.write("new", START - HOUR, "退款了")
    shop.write("old15", START - 25 * DAY, "用了一个月也坏了")
    assert await reader.poll() == ["new"]
    reader.clock.advance(DAY)
    assert await reader.poll() == ["old15"]


async def test_a_poll_without_news_asks_to_the_overlap_and_writes_nothing(shop: Shop, reader: Reader) -> None:
    fill(shop, 20)
    shop.write("new", START)
    shop.size = 1
    await reader.poll()
    shop.asked.clear()
    given = [batch async for batch in reader._sweep.batches(reader.cursor, 10)]
    assert (shop.asked, given) == (["", "2"], [])


async def test_one_that_is_pulled_up_while_pages_are_read_is_found_next_time(shop: Shop, reader: Reader) -> None:
    """Five are new; between two pages the first one is deleted, so that the fourth moves to the page just read."""
    fill(shop, 1)
    await reader.poll()
    reader.clock.advance(HOUR)
    for number in range(6):
        shop.write(f"new{number}", START + timedelta(minutes=number))
    shop.before[len(shop.asked) + 1] = lambda: shop.reviews.pop("new5") and None
    assert await reader.poll() == ["new5", "new4", "new3", "new1", "new0"]
    assert await reader.poll() == ["new2"]


async def test_one_that_moderation_shows_late_is_filed(shop: Shop, reader: Reader) -> None:
    fill(shop, 4)
    await reader.poll()
    reader.clock.advance(5 * DAY)
    shop.write("late", START - 8 * DAY)
    assert await reader.poll() == ["late"]


async def test_a_sweep_goes_no_deeper_than_it_may_and_what_lies_below_is_never_filed(
    shop: Shop, tmp_path: Path
) -> None:
    reader = Reader(tmp_path, shop, max_pages=2)
    fill(shop, 20)
    await reader.poll()
    assert len(reader.baseline) == 6
    for number in range(4):
        del shop.reviews[f"old{number:02}"]
    reader.clock.advance(DAY)
    assert await reader.poll() == []


async def test_a_sweep_that_is_broken_off_goes_on_where_it_was(shop: Shop, reader: Reader) -> None:
    def too_many() -> None:
        raise RetryLater(after_seconds=60)

    fill(shop, 20)
    shop.before[4] = too_many
    with pytest.raises(RetryLater):
        await reader.poll()
    shop.asked.clear()
    shop.before.clear()
    reader.restart()
    await reader.poll()
    assert shop.asked == ["", "2", "5", "6", "7"]
    assert len(reader.baseline) == 20


async def test_a_place_the_source_no_longer_knows_begins_the_sweep_anew(shop: Shop, reader: Reader) -> None:
    def unknown() -> None:
        raise Rejected

    fill(shop, 20)
    shop.before[4] = unknown
    with pytest.raises(Rejected):
        await reader.poll()
    shop.before = {6: unknown}
    assert await reader.poll() == []
    assert len(reader.baseline) < 20
    shop.before.clear()
    await reader.poll()
    assert len(reader.baseline) == 20


async def test_an_empty_answer_on_the_first_run_is_no_licence_to_file_all_later(shop: Shop, tmp_path: Path) -> None:
    shop.pages_given = 1
    reader = Reader(tmp_path, shop)
    assert await reader.poll() == []
    shop.pages_given, shop.size = 2, 10
    fill(shop, 20)
    assert await reader.poll() == []
    assert len(reader.baseline) == 20


async def test_a_list_that_is_suddenly_empty_is_a_lapse_and_no_silence(shop: Shop, tmp_path: Path) -> None:
    shop.pages_given = 1
    reader = Reader(tmp_path, shop)
    shop.write("a", START - HOUR)
    await reader.poll()
    shop.reviews.clear()
    with pytest.raises(Unavailable, match="empty"):
        await reader.poll()


async def test_one_that_cannot_be_read_is_a_letter_however_old(shop: Shop, reader: Reader) -> None:
    async def page(position: str) -> Page:
        raw = Raw(key="x", body=b"?", media_type="text/plain", received_at=START, quarantine="without a date")
        return Page(items=(Listed(raws=(raw,), at=None),))

    shop.page = page  # type: ignore[method-assign] # another shop
    reader.restart()
    assert (await reader.poll(), await reader.poll()) == (["x"], [])


async def test_undated_items_are_known_at_first_and_filed_later(shop: Shop, reader: Reader) -> None:
    for number in range(8):
        shop.write(f"a{number}", None)
    assert await reader.poll() == []
    shop.write("b", None)
    shop.write("a5", None, "改了")
    assert await reader.poll() == ["b", "a5"]


async def test_what_a_short_list_no_longer_gives_is_a_gap(shop: Shop, tmp_path: Path) -> None:
    shop.pages_given = 2
    reader = Reader(tmp_path, shop)
    fill(shop, 3, age=DAY)
    await reader.poll()
    reader.clock.advance(3 * DAY)
    for number in range(9):
        shop.write(f"new{number}", START + number * HOUR)
    assert len(await reader.poll()) == 6
    (gap,) = reader.journal.gaps
    assert (gap.since, gap.until) == (START - DAY, START + 3 * HOUR)
    await reader.poll()
    assert len(reader.journal.gaps) == 1


@pytest.mark.parametrize(("days", "expected"), [(6, []), (10, [(START, START + 3 * DAY)])])
async def test_what_has_left_the_window_is_a_gap(
    shop: Shop, tmp_path: Path, days: int, expected: list[tuple[datetime, datetime]]
) -> None:
    reader = Reader(tmp_path, shop, window=7 * DAY, every=None)
    shop.write("a", START - HOUR)
    await reader.poll()
    reader.clock.advance(days * DAY)
    await reader.poll()
    assert [(gap.since, gap.until) for gap in reader.journal.gaps] == expected


async def test_without_sweeps_the_top_alone_is_read(shop: Shop, tmp_path: Path) -> None:
    reader = Reader(tmp_path, shop, every=None)
    fill(shop, 20)
    await reader.poll()
    reader.clock.advance(2 * DAY)
    shop.asked.clear()
    shop.write("old15", reader.clock.now(), "改了")
    assert await reader.poll() == ["old15"]
    assert shop.asked == ["", "2", "3"]


async def test_a_time_in_the_future_hides_nothing(shop: Shop, reader: Reader) -> None:
    shop.write("mad", START + 1000 * DAY)
    await reader.poll()
    reader.clock.advance(HOUR)
    shop.write("new", START)
    assert await reader.poll() == ["new"]


async def test_a_page_that_names_itself_is_no_list(reader: Reader) -> None:
    async def stuck(position: str) -> Page:
        return Page(items=(Listed(raws=(raw_of("a", "坏了"),), at=START),), next="2")

    reader.shop.page = stuck  # type: ignore[method-assign] # another shop
    reader.restart()
    with pytest.raises(Unavailable):
        await reader.poll()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 40)),
        st.tuples(st.just("edit"), st.integers(0, 30)),
        st.tuples(st.just("delete"), st.integers(0, 30)),
        st.tuples(st.just("poll"), st.integers(0, 12)),
        st.tuples(st.just("wait"), st.integers(1, 60)),
    ),
    max_size=40,
)
"""Numbers: hours a review comes late, which one, the batch at which the daemon dies, hours."""


@settings(max_examples=150, deadline=None)
@given(old=st.integers(0, 12), steps=STEPS, size=st.integers(1, 4))
def test_whatever_happens_the_newest_words_of_each_review_are_heard(
    old: int, steps: list[tuple[str, int]], size: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_live(Path(folder), old, steps, size))


async def _live(folder: Path, old: int, steps: list[tuple[str, int]], size: int) -> None:
    shop = Shop(size=size)
    reader = Reader(folder, shop)
    fill(shop, old)
    await reader.poll()
    for number, (step, value) in enumerate(steps):
        names = sorted(shop.reviews)
        if step == "write":
            shop.write(f"new{number}", reader.clock.now() - value * HOUR)
        elif step == "edit" and names:
            name = names[value % len(names)]
            shop.write(name, shop.reviews[name][0], f"改了 {number}")
        elif step == "delete" and names:
            del shop.reviews[names[value % len(names)]]
        elif step == "poll":
            await reader.poll(limit=2, die_at=value)
        else:
            reader.clock.advance(value * HOUR)
    for _ in range(2):
        reader.clock.advance(DAY)
        await reader.poll(limit=3)
    newest = {raw.key: raw for raw in reader.journal.raws}
    for name, (_, text) in shop.reviews.items():
        assert newest[name].body == text.encode(), f"{name}: its newest words were not heard"
        is_quiet = name.startswith("old") and text == "坏了"
        assert newest[name].baseline == is_quiet, f"{name}: known and filed are mistaken for one another"


def test_a_digest_keeps_its_parts_apart() -> None:
    assert digest_of(1, "坏", "了") not in (digest_of(1, "坏了", ""), digest_of("1", "坏", "了"))


@pytest.mark.parametrize("is_newest_first", [True, False])
async def test_a_list_in_no_order_is_swept_to_its_end_and_nothing_old_is_filed(
    shop: Shop, tmp_path: Path, is_newest_first: bool
) -> None:
    reader = Reader(tmp_path, shop, is_ordered=False, every=HOUR)
    shop.is_newest_first = is_newest_first
    fill(shop, 20)
    shop.write("yesterday", START - DAY)
    assert await reader.poll(limit=2) == ["yesterday"]
    assert len(reader.baseline) == 20
    for hour in range(72):
        shop.write(f"missed{hour:02}", START + hour * HOUR)
    shop.write("old07", START - 17 * DAY, "修好又坏了")
    reader.clock.advance(72 * HOUR)
    assert sorted(await reader.poll()) == [*(f"missed{hour:02}" for hour in range(72)), "old07"]


async def test_of_a_list_in_no_order_the_pages_never_read_are_not_news(shop: Shop, tmp_path: Path) -> None:
    reader = Reader(tmp_path, shop, is_ordered=False, every=HOUR, max_pages=3)
    shop.is_newest_first = False
    fill(shop, 20)
    assert await reader.poll() == []
    for number in range(20):
        del shop.reviews[f"old{number:02}"]
        reader.clock.advance(HOUR)
        assert await reader.poll() == []


async def test_a_list_that_keeps_its_order_is_read_to_the_first_that_is_known(shop: Shop, tmp_path: Path) -> None:
    reader = Reader(tmp_path, shop, every=None, overlap=-timedelta(seconds=1), is_strict=True)
    assert await reader.poll() == []
    for number in range(9):
        shop.write(f"r{number}", START - HOUR * (9 - number))
    assert len(await reader.poll(die_at=1)) == 3
    assert len(await reader.poll()) == 6, "what was broken off is read on, below what is known"
    shop.asked.clear()
    shop.write("r9", START)
    assert await reader.poll() == ["r9"]
    assert shop.asked == [""]


async def test_what_came_from_elsewhere_meanwhile_is_offered_again(shop: Shop, reader: Reader) -> None:
    """A push told of an edit; it was taken back before the list was read again."""
    shop.write("r1", START - HOUR)
    assert await reader.poll() == ["r1"]
    reader.journal.accept(STREAM, Batch(raws=(raw_of("r1", "已解决"),)))
    reader.forget(["r1"])
    assert await reader.poll() == ["r1"]
    assert [raw.body.decode() for raw in reader.journal.raws] == ["坏了", "已解决", "坏了"]
    assert await reader.poll() == []
