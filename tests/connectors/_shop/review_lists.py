"""What every list of reviews promises, on the simulator of its platform: edits, outages, pages that move, nonsense."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Protocol

import httpx
import pytest

from allears_sdk.connector import Connector
from allears_sdk.message import Message
from allears_sdk.testing import FakeClock
from allears_sdk.testing.journal import MiniJournal, hear

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
Connect = Callable[..., Connector[Any]]


class Simulator(Protocol):
    page_items: int
    faults: list[httpx.Response]
    write: Callable[..., Any]
    """Of a number, a text, `stars` and `age`: written, or edited under its id."""


async def heard(connector: Connector[Any], journal: MiniJournal) -> list[Message]:
    """What a poll brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal)
    raws = [raw for raw in journal.raws[before:] if not raw.baseline and not raw.quarantine]
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


async def texts(connector: Connector[Any], journal: MiniJournal) -> list[str]:
    return [one.text for one in await heard(connector, journal)]


class ReviewLists:
    """`nonsense`: rows that are no reviews. `hides_edits`: what is old is looked through once a day only."""

    nonsense: ClassVar[Sequence[Any]]
    hides_edits: ClassVar[bool] = True

    @pytest.fixture
    @abstractmethod
    def source(self) -> Simulator:
        """The simulator, as its module makes it."""

    @abstractmethod
    def answers(self, rows: list[Any]) -> list[httpx.Response]:
        """A list of these rows, page by page, for all streams."""

    @abstractmethod
    def remove(self, number: int) -> None:
        """Taken off the list without a word: one of the first that are listed."""

    async def test_stars_that_go_up_and_down_are_each_heard(
        self, connect: Connect, source: Simulator, journal: MiniJournal
    ) -> None:
        connector, found = connect(), list[Message]()
        for stars in (1, 5, 5, 1):
            source.write(1, "Leaks 漏水", stars=stars)
            found += await heard(connector, journal)
        assert [one.rating and one.rating.value for one in found] == [1, 5, 1]

    async def test_older_ones_are_known_and_an_edit_of_one_is_heard_within_a_day(
        self, connect: Connect, source: Simulator, journal: MiniJournal, clock: FakeClock
    ) -> None:
        source.page_items = 3
        for number in range(12):
            source.write(number, "Good", stars=5, age=(10 + number) * DAY)
        source.write(99, "Leaks", age=2 * DAY)
        connector = connect()
        assert await texts(connector, journal) == ["Leaks"]
        source.write(9, "Broke after half a year", stars=1, age=19 * DAY)
        if self.hides_edits:
            assert await texts(connector, journal) == []
        clock.advance(DAY if self.hides_edits else HOUR)
        assert await texts(connector, journal) == ["Broke after half a year"]

    async def test_three_days_without_us_lose_nothing(
        self, connect: Connect, source: Simulator, journal: MiniJournal, clock: FakeClock
    ) -> None:
        source.page_items = 10
        source.write(0, "Leaks")
        await heard(connect(), journal)
        clock.advance(3 * DAY)
        for number in range(1, 61):
            source.write(number, f"Leaks, {number}", age=-timedelta(hours=number))
        source.write(0, "Leaks, and smells", stars=2)
        expected = {"Leaks, and smells", *(f"Leaks, {number}" for number in range(1, 61))}
        assert set(await texts(connect(), journal)) == expected
        assert journal.gaps == []

    async def test_what_is_written_while_pages_are_read_is_heard(
        self, connect: Connect, source: Simulator, journal: MiniJournal, clock: FakeClock
    ) -> None:
        await self._read_while(
            connect, source, journal, lambda number: source.write(number, f"Leaks, {number}", age=-HOUR)
        )
        clock.advance(2 * HOUR)
        await hear(connect(), journal)
        assert len({raw.key for raw in journal.raws}) == 22

    async def test_what_moves_up_while_pages_are_read_is_heard_with_the_next_poll(
        self, connect: Connect, source: Simulator, journal: MiniJournal
    ) -> None:
        await self._read_while(connect, source, journal, lambda number: self.remove(number - 20))
        await hear(connect(), journal)
        assert len({raw.key for raw in journal.raws}) == 20

    async def test_rows_that_are_no_reviews_become_letters_once_and_stop_no_other(
        self, connect: Connect, source: Simulator
    ) -> None:
        for row in self.nonsense:
            journal, review = MiniJournal(), source.write(1, "Leaks")
            for _ in range(2):
                source.faults = self.answers([row, review])
                await hear(connect(), journal)
            source.faults = []
            assert [bool(raw.quarantine) for raw in journal.raws] == [True, False], row

    async def _read_while(
        self, connect: Connect, source: Simulator, journal: MiniJournal, happen: Callable[[int], Any]
    ) -> None:
        """A first poll of twenty reviews, during which something happens twice."""
        source.page_items = 5
        for number in range(20):
            source.write(number, f"Leaks, {number}", age=timedelta(hours=number + 1))
        connector, number = connect(), 20
        stream = (await connector.streams())[0]
        async for batch in connector.poll(stream, None, {}, 5):
            journal.accept(stream, batch)
            if batch.raws and number < 22:
                happen(number)
                number += 1
