"""Additional reviews (追评): asked of Tmall for each rating, heard whenever they are written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.errors import Unavailable
from allears_sdk.message import Author, Kind, Message, Raw, Visibility
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal
from connectors.taobao import TaobaoConnector
from tests.connectors._marketplace.market import china
from tests.connectors.taobao.conftest import Connect, Taobao, failed, heard, make_settings

DAY = timedelta(days=1)
FEED = "tmall.traderate.feeds.get"


def add(taobao: Taobao, rated: dict[str, Any], words: Any, **more: Any) -> dict[str, Any]:
    told = {"content": rated["content"], "append_content": words, "append_time": china(taobao.clock.now()), **more}
    taobao.added[str(rated["oid"])] = told | {"user_nick": "t**1", "has_negtv": True}
    return told


async def test_what_is_added_weeks_later_belongs_to_its_rating(
    connect: Connect, taobao: Taobao, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect(additional_reviews=True)
    rated = taobao.rate(1, "刚到手，先好评", result="good")
    taobao.rate(2, "不错", result="good")
    assert len(await heard(connector, journal)) == 2
    clock.advance(14 * DAY)
    written = clock.now().replace(microsecond=0)
    add(taobao, rated, " 用了两周就漏水 😡 要求退款 ")
    (said,) = await heard(connector, journal)
    root = f"rate:{rated['oid']}:buyer"
    assert said == Message(
        text="用了两周就漏水 😡 要求退款",
        external_id=f"added:{rated['oid']}",
        thread=(f"{root}:{rated['created']}", root),
        author=Author(name="t**1"),
        posted_at=written,
        visibility=Visibility.PUBLIC,
    )
    clock.advance(2 * DAY)
    assert await heard(connector, journal) == []
    add(taobao, rated, "客服已退款")
    clock.advance(DAY)
    assert [one.text for one in await heard(connector, journal)] == ["客服已退款"]


async def test_of_old_ratings_it_is_only_known(connect: Connect, taobao: Taobao, journal: MiniJournal) -> None:
    add(taobao, taobao.rate(1, "一般", age=20 * DAY), "坏了")
    assert await heard(connect(additional_reviews=True), journal) == []
    assert [raw.baseline for raw in journal.raws] == [True, True]


@pytest.mark.parametrize("words", [None, "", "  ", 7, ["x"]])
async def test_nothing_added_says_nothing(connect: Connect, taobao: Taobao, journal: MiniJournal, words: Any) -> None:
    add(taobao, taobao.rate(1, "漏水"), words)
    taobao.added["nonsense"] = {}
    assert [one.text for one in await heard(connect(additional_reviews=True), journal)] == ["漏水"]


async def test_a_failure_is_asked_again_and_nobody_is_asked_unless_wanted(
    connect: Connect, taobao: Taobao, journal: MiniJournal
) -> None:
    add(taobao, taobao.rate(1, "漏水"), "还是漏水")
    assert [one.text for one in await heard(connect(), MiniJournal())] == ["漏水"]
    assert FEED not in {call["method"] for call in taobao.calls}
    real = taobao.between

    def fail_next() -> None:
        if taobao.calls[-1]["method"] == "taobao.traderates.get":
            taobao.faults = [failed(15, "isp.service-error")]
            taobao.between = real

    taobao.between = fail_next
    connector = connect(additional_reviews=True)
    with pytest.raises(Unavailable):
        await heard(connector, journal)
    assert {one.text for one in await heard(connector, journal)} == {"漏水", "还是漏水"}


def test_an_edit_of_it() -> None:
    body = '{"append_content": "又坏了", "append_time": "soon"}'.encode()
    about = {"rating": "rate:31:buyer:2026-01-01 08:00:00"}
    raw = Raw(key="added:31", ordinal=2, body=body, media_type="application/json", received_at=START, context=about)
    (said,) = TaobaoConnector.parse(raw, make_settings())
    assert (said.kind, said.posted_at, said.thread[-1]) == (Kind.EDITED, None, "rate:31:buyer")
