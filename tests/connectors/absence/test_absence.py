"""Messages that are pushed and cannot be read back: what was offered in vain while nobody listened is a gap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.connector import Connector, Hears, Request
from allears_sdk.context import Context
from allears_sdk.testing import FakeClock
from allears_sdk.testing.journal import MiniJournal
from connectors.douyin import DouyinConnector
from connectors.facebook import FacebookConnector
from connectors.instagram import InstagramConnector
from connectors.line import LineConnector
from connectors.weibo import WeiboConnector
from connectors.whatsapp import WhatsappConnector
from tests.connectors._meta import graph_server as meta
from tests.connectors.douyin import conftest as douyin
from tests.connectors.facebook import conftest as facebook
from tests.connectors.instagram import conftest as instagram
from tests.connectors.line import conftest as line
from tests.connectors.line import line_server
from tests.connectors.weibo import conftest as weibo
from tests.connectors.whatsapp import conftest as whatsapp

Attend = Callable[..., Any]
THREE_DAYS = timedelta(days=3)


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """`offered`: how long the platform goes on offering. `listens`: it is set up by whoever has the channel at all."""

    connect: Callable[[Context], Connector[Any]]
    push: Callable[[], Request]
    offered: timedelta = timedelta()
    listens: bool = False


SOURCES = {
    "whatsapp": Pushed(
        connect=lambda context: WhatsappConnector(whatsapp.make_settings(), context),
        push=lambda: meta.deliver(whatsapp.make_delivery(whatsapp.make_message("退款"))),
        offered=timedelta(days=7),
        listens=True,
    ),
    "line": Pushed(
        connect=lambda context: LineConnector(line.make_settings(), context),
        push=lambda: line_server.deliver(line.make_text("退款")),
        listens=True,
    ),
    "facebook": Pushed(
        connect=lambda context: FacebookConnector(facebook.make_settings(), context),
        push=lambda: meta.deliver(facebook.make_event("Where is my refund?")),
        offered=timedelta(hours=1),
    ),
    "instagram": Pushed(
        connect=lambda context: InstagramConnector(instagram.make_settings(), context),
        push=lambda: meta.deliver(instagram.make_event("Where is my refund?")),
        offered=timedelta(hours=1),
    ),
    "weibo": Pushed(
        connect=lambda context: WeiboConnector(weibo.make_settings(), context),
        push=lambda: weibo.push(weibo.make_talk("退款")),
    ),
    "douyin": Pushed(
        connect=lambda context: DouyinConnector(douyin.make_settings(), context),
        push=lambda: douyin.deliver(douyin.make_event(text="退款")),
    ),
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> Pushed:
    return SOURCES[request.param]


@pytest.fixture
def attended(source: Pushed, context: Context, journal: MiniJournal) -> Attend:
    return lambda connector=None: _poll(connector or source.connect(context), journal)


async def _poll(connector: Connector[Any], journal: MiniJournal) -> Connector[Any]:
    """The stream of what is pushed; the others have tests of their own."""
    stream = (await connector.streams())[-1]
    async for batch in connector.poll(stream, journal.cursors.get(stream), {}, 10):
        journal.accept(stream, batch)
    return connector


async def test_three_days_without_us(source: Pushed, attended: Attend, journal: MiniJournal, clock: FakeClock) -> None:
    connector = await attended()
    assert Hears.POLL in connector.own_spec.hears
    assert (await connector.receive(source.push())).raws
    for _ in range(3):
        clock.advance(connector.settings.interval_seconds)
        await attended(connector)
    left_at = clock.now()
    clock.advance(THREE_DAYS.total_seconds())
    await attended()
    told = [(gap.since, gap.until) for gap in journal.gaps]
    assert told == ([] if source.offered >= THREE_DAYS else [(left_at, clock.now() - source.offered)])
    assert all("look into" in gap.reason for gap in journal.gaps)


async def test_what_is_offered_for_days_is_lost_after_them(
    source: Pushed, attended: Attend, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = await attended()
    await connector.receive(source.push())
    await attended(connector)
    left_at = clock.now()
    clock.advance((source.offered + timedelta(days=1)).total_seconds())
    await attended()
    [gap] = journal.gaps
    assert (gap.since, gap.until) == (left_at, left_at + timedelta(days=1))


async def test_a_restart_is_no_absence(
    source: Pushed, attended: Attend, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = await attended()
    for _ in range(5):
        await connector.receive(source.push())
        await attended(connector)
        clock.advance(connector.settings.interval_seconds + 50)
        connector = await attended()
    assert not journal.gaps


async def test_where_nothing_was_ever_pushed_nothing_is_missed(
    source: Pushed, attended: Attend, journal: MiniJournal, clock: FakeClock
) -> None:
    await attended()
    clock.advance(30 * 86_400)
    await attended()
    assert bool(journal.gaps) is source.listens
