"""The contract suite of a connector.

Subclass it in a test file, say how to make the connector and how to put an item into its source, and pytest runs
the rest. Every hook that is left out skips the tests that need it, and says so::

    class TestFolder(ConnectorContract):
        @pytest.fixture(autouse=True)
        def source(self, tmp_path: Path) -> None:
            self.folder = tmp_path / "in"
            self.folder.mkdir()

        def make_connector(self, context: Context) -> FolderConnector:
            return FolderConnector(FolderSettings(connector="folder", path=self.folder), context)

        async def put(self, text: str) -> None:
            (self.folder / f"{text[:4]}.eml").write_bytes(mail(text))
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.budget import Budget
from allears_sdk.codec import decode, encode
from allears_sdk.connector import Accepted, Answer, Connector, Hears, Media, Request
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, BadMessage, OverBudget, Rejected
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.signing import BadSignature, OutsideWindow
from allears_sdk.testing.clock import START, FakeClock
from allears_sdk.testing.components import absent, check_settings, check_silent, check_spec, overrides
from allears_sdk.testing.context import RecordingLog, make_context
from allears_sdk.testing.journal import Died, MiniJournal, attend, hear

TEXTS = tuple(f"第{number}单：屏幕碎了，要求退款。Order no. 7741{number}, refund please." for number in range(5))
EMOJI = "气死我了😡👨‍👩‍👧 𠮷野家的卡 – café ☕ refund!"
GBK = "投诉：发错货，客服不理".encode("gb18030")
GARBAGE = (b"", b"{", b"\xff\xfe\x00", b"<xml>", b"[[[[[", '{"投诉": null}'.encode("gbk"))


class ConnectorContract:
    """What every connector promises. `self` is new for each test, and so must the source be."""

    pytestmark = pytest.mark.asyncio

    def make_connector(self, context: Context) -> Connector[Any]:
        """A connector on this test's source; called again after each death, with the same source."""
        raise NotImplementedError

    async def put(self, text: str) -> None:
        """Add an item that says `text` to the source."""
        absent("source to put items in")

    async def put_bytes(self, text: bytes) -> None:
        """Add an item whose text is exactly these bytes, in no encoding it declares."""
        absent("source of raw bytes")

    async def put_malformed(self) -> None:
        """Add an item that cannot be read."""
        absent("malformed item")

    async def put_oversize(self) -> None:
        """Add an item above the size limit of the settings."""
        absent("oversize item")

    async def rate(self, stars: int) -> None:
        """Make the source's one item say `stars`: add it, or edit it."""
        absent("source whose items can be edited")

    async def request(self, text: str) -> Request:
        """The request by which the platform delivers an item that says `text`."""
        absent("request to receive")
        raise AssertionError

    async def push(self, text: str) -> None:
        """Have the platform tell whoever listens of an item that says `text`; wait until somebody does."""
        absent("source that tells whoever listens")

    async def push_again(self) -> None:
        """Have it deliver again what nobody acknowledged, to whoever listens now; where it does not, a poll is to read
        what was said."""

    async def left_file(self, content: bytes) -> Ref:
        """Leave a file at the platform: what `parse` names it by."""
        absent("file that is fetched after its message")
        raise AssertionError

    async def lost_file(self) -> Ref:
        """What `parse` named a file by that the platform has thrown away since."""
        absent("file that is gone")
        raise AssertionError

    async def tell_quota(self, left: int) -> None:
        """Make the source's answers tell from now on that so many calls, or so many percent, are left."""
        absent("source that tells its quota")

    def budget(self) -> Budget:
        """What the connector that `make_connector` gives spends of."""
        absent("budget")
        raise AssertionError

    def words(self, raw: Raw) -> str:
        """What an item says; override it where that does not stand readably in the body."""
        return raw.body.decode("utf-8", "replace")

    @pytest.fixture
    def journal(self) -> MiniJournal:
        return MiniJournal()

    @pytest.fixture
    def log(self) -> RecordingLog:
        return RecordingLog()

    @pytest.fixture
    def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        return make_context("channel-under-test", tmp_path, known=journal.known, log=log)

    @pytest.fixture
    async def connector(self, context: Context) -> AsyncIterator[Connector[Any]]:
        connector = self.make_connector(context)
        await connector.start()
        yield connector
        await connector.stop()
        await context.remote.aclose()

    async def test_spec_agrees_with_the_class(self, connector: Connector[Any]) -> None:
        check_spec(connector.spec)
        assert connector.spec.hears, "it hears in no way at all"
        for hears in Hears:
            is_there = overrides(connector, Connector, hears.value)
            assert is_there == (hears in connector.spec.hears), f"spec.hears and method {hears.value} disagree"
        assert connector.settings.connector == connector.spec.kind

    async def test_settings_explain_themselves_and_refuse_unknown_keys(self, connector: Connector[Any]) -> None:
        check_settings(connector.settings)

    async def test_stop_without_start(self, context: Context) -> None:
        connector = self.make_connector(context)
        await connector.stop()

    async def test_streams_have_names_of_their_own(self, connector: Connector[Any]) -> None:
        _needs(connector, Hears.POLL)
        streams = await connector.streams()
        assert streams, "a polled connector has at least one stream"
        assert len(set(streams)) == len(streams), "two streams share a name, and so a cursor"

    async def test_every_item_is_heard_once(self, connector: Connector[Any], journal: MiniJournal) -> None:
        await self._put_all(connector)
        batches = await hear(connector, journal, limit=2)
        assert all(len(batch.raws) <= 2 for batch in batches), "a batch holds more raws than its limit"
        self._check_heard(journal)
        await hear(connector, journal)
        self._check_heard(journal)

    async def test_reading_goes_on_at_the_cursor(
        self, connector: Connector[Any], journal: MiniJournal, context: Context
    ) -> None:
        _needs(connector, Hears.POLL)
        for text in TEXTS[:3]:
            await self.put(text)
        await hear(connector, journal)
        await connector.stop()
        for text in TEXTS[3:]:
            await self.put(text)
        await self._restarted(context, journal)
        self._check_heard(journal)

    async def test_a_lost_cursor_brings_nothing_twice(
        self, connector: Connector[Any], journal: MiniJournal, context: Context
    ) -> None:
        await self._put_all(connector)
        await hear(connector, journal)
        await connector.stop()
        journal.cursors.clear()
        await self._restarted(context, journal)
        self._check_heard(journal)

    @pytest.mark.parametrize("is_stored", [False, True], ids=["before-commit", "after-commit"])
    @pytest.mark.parametrize("die_at", [0, 1, 2])
    async def test_death_at_a_yield_loses_and_doubles_nothing(
        self, connector: Connector[Any], journal: MiniJournal, context: Context, die_at: int, is_stored: bool
    ) -> None:
        await self._put_all(connector)
        try:
            await hear(connector, journal, limit=2, die_at=die_at, is_stored=is_stored)
        except Died:
            await connector.stop()
        await self._restarted(context, journal)
        self._check_heard(journal)

    @pytest.mark.parametrize("is_stored", [False, True], ids=["before-commit", "after-commit"])
    @pytest.mark.parametrize("die_at", [0, 1, 2])
    async def test_death_while_listening_loses_and_doubles_nothing(
        self, connector: Connector[Any], journal: MiniJournal, context: Context, die_at: int, is_stored: bool
    ) -> None:
        _needs(connector, Hears.LISTEN)
        if not overrides(self, ConnectorContract, "push"):
            absent("source that tells whoever listens")
        async with asyncio.timeout(10):
            await attend(connector, journal, self._push_all(), lambda: False, die_at=die_at, is_stored=is_stored)
            await connector.stop()
            again = self.make_connector(context)
            await again.start()
            if Hears.POLL in again.spec.hears:
                await hear(again, journal)
            await attend(again, journal, self.push_again(), lambda: self._counts(journal).count(0) == 0)
            await again.stop()
        self._check_heard(journal)

    async def test_edits_are_heard_each_time(self, connector: Connector[Any], journal: MiniJournal) -> None:
        _needs(connector, Hears.POLL)
        for stars in (1, 5, 1):
            await self.rate(stars)
            await hear(connector, journal)
            await hear(connector, journal)
        assert len(journal.raws) == 3, "1 → 5 → 1 stars are three revisions, re-reads none"
        assert len({raw.key for raw in journal.raws}) == 1, "a revision changed the item's key"

    async def test_emoji_and_rare_letters_arrive_whole(self, connector: Connector[Any], journal: MiniJournal) -> None:
        _needs(connector, Hears.POLL)
        await self.put(EMOJI)
        await hear(connector, journal)
        assert [EMOJI in self.words(raw) for raw in journal.raws] == [True]

    async def test_undeclared_bytes_are_kept_as_they_came(
        self, connector: Connector[Any], journal: MiniJournal
    ) -> None:
        _needs(connector, Hears.POLL)
        await self.put_bytes(GBK)
        await hear(connector, journal)
        assert [GBK in raw.body for raw in journal.raws] == [True]

    @pytest.mark.parametrize("kind", ["malformed", "oversize"])
    async def test_a_bad_item_stops_no_other(self, connector: Connector[Any], journal: MiniJournal, kind: str) -> None:
        _needs(connector, Hears.POLL)
        await self.put(TEXTS[0])
        await (self.put_malformed() if kind == "malformed" else self.put_oversize())
        await self.put(TEXTS[1])
        await hear(connector, journal)
        count = len(journal.raws) + len(journal.missing)
        for text in TEXTS[:2]:
            assert sum(text in self.words(raw) for raw in journal.raws) == 1, "a good item beside it was not heard"
        assert count > 2, "the bad item vanished: it must be a raw, a quarantined raw or missing"
        await hear(connector, journal)
        assert len(journal.raws) + len(journal.missing) == count, "the bad item comes again and again"

    async def test_parse_is_pure_and_raises_bad_message_alone(
        self, connector: Connector[Any], journal: MiniJournal
    ) -> None:
        if not overrides(connector, Connector, "parse"):
            absent("parser of its own")
        good = await self._one_raw(connector, journal)
        assert connector.parse(good, connector.settings) == connector.parse(good, connector.settings)
        for body in GARBAGE:
            bad = Raw(key="bad", body=body, media_type=good.media_type, received_at=START, context=good.context)
            assert all(isinstance(message, Message) for message in _parsed(connector, bad))

    async def test_a_request_delivered_again_has_the_same_keys(self, connector: Connector[Any]) -> None:
        _needs(connector, Hears.RECEIVE)
        request = await self.request(EMOJI)
        first, second = await connector.receive(request), await connector.receive(request)
        assert not first.refused, f"a good request was refused: {first.refused}"
        assert first.raws or first.wakes, "a good request brought neither raws nor a wake"
        assert [raw.key for raw in first.raws] == [raw.key for raw in second.raws]
        accepted = [Accepted(key=raw.key, is_new=False, reference="ALE-7K3M-Q9TX-4RWD") for raw in first.raws]
        answer = first.answer(accepted)
        assert isinstance(answer, Answer)
        assert answer.status < 400, "a platform that delivers again must be answered like the first time"

    async def test_any_bytes_may_come_in(self, connector: Connector[Any]) -> None:
        _needs(connector, Hears.RECEIVE)
        good = await self.request(TEXTS[0])
        for body in GARBAGE:
            request = Request(
                method=good.method,
                path=good.path,
                query=good.query,
                headers=good.headers,
                body=body,
                remote_address=good.remote_address,
                received_at=good.received_at,
            )
            try:
                await connector.receive(request)
            except (AllearsError, BadSignature, OutsideWindow):
                continue

    async def test_a_file_is_fetched_whole_and_again(self, connector: Connector[Any]) -> None:
        ref = await self.left_file(GBK)
        assert decode(encode(ref), Ref) == ref, "a locator is JSON: it waits in the journal"
        for _ in range(2):
            media = await connector.fetch(ref)
            assert isinstance(media, Media)
            assert media.content == GBK

    async def test_a_file_that_is_gone_is_rejected_in_words(self, connector: Connector[Any]) -> None:
        ref = await self.lost_file()
        with pytest.raises(Rejected, match=r"\w+ \w+"):
            await connector.fetch(ref)

    async def test_what_is_left_of_a_quota_is_known(self, connector: Connector[Any], journal: MiniJournal) -> None:
        await self.tell_quota(37)
        await hear(connector, journal)
        assert 37 in [quota.left for told in connector.context.accounts.quotas.values() for quota in told]

    async def test_over_its_budget_it_waits_for_the_next_window(
        self, connector: Connector[Any], journal: MiniJournal
    ) -> None:
        accounts, clock = connector.context.accounts, connector.context.clock
        await accounts.exhaust(self.budget())
        await self._put_all(connector)
        with pytest.raises(OverBudget) as over:
            await hear(connector, journal)
        assert not journal.raws, "it read, though nothing was left"
        assert isinstance(clock, FakeClock)
        clock.advance(over.value.after_seconds or 0)
        await hear(connector, journal)
        self._check_heard(journal)

    async def test_cancelling_takes_less_than_a_second(self, connector: Connector[Any], journal: MiniJournal) -> None:
        task: asyncio.Future[Any]
        if Hears.LISTEN in connector.spec.hears:
            task = asyncio.ensure_future(anext(aiter(connector.listen())))
        else:
            _needs(connector, Hears.POLL)
            task = asyncio.ensure_future(hear(connector, journal))
        await asyncio.wait([task], timeout=0.1)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=1)
        assert done, "it goes on for more than a second after it was cancelled"
        _ = task.cancelled() or task.exception()

    async def test_secrets_stay_inside(
        self, connector: Connector[Any], journal: MiniJournal, log: RecordingLog
    ) -> None:
        shown: list[object] = [connector, connector.context]
        try:
            if Hears.POLL in connector.spec.hears:
                await hear(connector, journal)
            await connector.check()
        except AllearsError as error:
            shown.append(error)
        check_silent(connector.settings, *shown, log.entries, journal.cursors, journal.raws)

    async def _put_all(self, connector: Connector[Any]) -> None:
        _needs(connector, Hears.POLL)
        for text in TEXTS:
            await self.put(text)

    async def _push_all(self) -> None:
        for text in TEXTS:
            await self.push(text)

    async def _restarted(self, context: Context, journal: MiniJournal) -> None:
        connector = self.make_connector(context)
        await connector.start()
        await hear(connector, journal)
        await connector.stop()

    async def _one_raw(self, connector: Connector[Any], journal: MiniJournal) -> Raw:
        if Hears.RECEIVE in connector.spec.hears:
            raws = (await connector.receive(await self.request(TEXTS[0]))).raws
            if raws:
                return raws[0]
        _needs(connector, Hears.POLL)
        await self.put(TEXTS[0])
        await hear(connector, journal)
        return journal.raws[0]

    def _counts(self, journal: MiniJournal) -> list[int]:
        return [sum(text in self.words(raw) for raw in journal.raws) for text in TEXTS]

    def _check_heard(self, journal: MiniJournal) -> None:
        counts = self._counts(journal)
        assert 0 not in counts, f"lost: heard {counts} times"
        assert counts == [1] * len(TEXTS), f"doubled: heard {counts} times"
        assert len(journal.raws) == len(TEXTS), "raws were heard that nobody put there"


def _needs(connector: Connector[Any], hears: Hears) -> None:
    if hears not in connector.spec.hears:
        pytest.skip(f"this connector does not {hears.value}")


def _parsed(connector: Connector[Any], raw: Raw) -> list[Message]:
    try:
        return list(connector.parse(raw, connector.settings))
    except BadMessage:
        return []
