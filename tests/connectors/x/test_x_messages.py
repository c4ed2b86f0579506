"""Private messages: read back to what is known, each paid for, older than a month a gap."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.connector import Threading
from allears_sdk.context import Context
from allears_sdk.errors import BadMessage, OutOfMoney, RetryLater
from allears_sdk.message import Attachment, Author, Message, Raw, Role, Visibility
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.x import XConnector
from tests.connectors.x.conftest import ANA, CLIENT, ME, Visitor, X, free_port, make_settings

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
async def connector(x: X, context: Context) -> XConnector:
    connector = make(x, context)
    visitor = Visitor()
    await connector.login(visitor)
    assert visitor.asked["scope"] == "tweet.read users.read offline.access dm.read"
    return connector


def make(x: X, context: Context, **more: Any) -> XConnector:
    login = {"client_id": CLIENT, "redirect_port": free_port(), "read_messages": True}
    return XConnector(make_settings(x.url, **login, **more), context)


def read(connector: XConnector, raws: list[Raw]) -> list[Message]:
    """Oldest first."""
    said = [one for raw in raws if not raw.baseline for one in connector.parse(raw, connector.settings)]
    return sorted(said, key=lambda one: one.posted_at or START)


async def test_a_talk(x: X, connector: XConnector, journal: MiniJournal) -> None:
    first = x.message(
        1, "屏幕碎了 😡 要求退款", created_at="2026-06-01T08:00:00.000Z", attachments={"media_keys": ["3_1"]}
    )
    x.message(2, "We are sorry.", by=ME, to=ANA, age=MINUTE)
    first["created_at"] = (START - HOUR).isoformat()
    await hear(connector, journal)
    said, answer = read(connector, journal.raws)
    assert said == Message(
        text="屏幕碎了 😡 要求退款",
        external_id=f"dm:{first['id']}",
        thread=(f"dm:{ME}-{ANA}",),
        author=Author(id=ANA, name="Ana Demo", handle="@ana_demo"),
        posted_at=START - HOUR,
        attachments=(
            Attachment(name="", title="file", skipped="X hands out files of private messages in its app only"),
        ),
        visibility=Visibility.PRIVATE,
    )
    assert (answer.author.role, answer.participants, answer.thread) == (Role.COMPANY, (ANA,), said.thread)
    assert (connector.own_spec.threading, connector.own_spec.public) == (Threading.CHAT, False)


async def test_what_is_known_is_read_in_short_pages_and_paid_for_once_a_day(
    x: X, connector: XConnector, journal: MiniJournal
) -> None:
    for number in range(30):
        x.message(number, f"No. {number}", age=HOUR + (30 - number) * MINUTE)
    await hear(connector, journal)
    assert [one.text for one in read(connector, journal.raws)] == [f"No. {number}" for number in range(30)]
    x.asked.clear()
    x.message(99, "Hello?", age=MINUTE)
    await hear(connector, journal)
    await hear(connector, journal)
    assert [query["max_results"] for query in x.pages("/2/dm_events")] == ["5", "5"]
    assert read(connector, journal.raws)[-1].text == "Hello?"
    ((quota,),) = connector.context.accounts.quotas.values()
    assert 1000 - quota.left == pytest.approx(31 * 0.010 + 2 * 0.010), "each message, its author, and who we are"


async def test_three_days_without_us_lose_nothing_and_more_than_a_month_is_a_gap(
    x: X, connector: XConnector, journal: MiniJournal, clock: FakeClock
) -> None:
    await hear(connector, journal)
    clock.advance(3 * DAY)
    for number in range(120):
        x.message(number, f"No. {number}", age=-number * HOUR / 2)
    await hear(connector, journal)
    assert (len(read(connector, journal.raws)), journal.gaps) == (120, [])
    heard = clock.now()
    clock.advance(40 * DAY)
    await hear(connector, journal)
    assert [(gap.since, gap.until) for gap in journal.gaps] == [(heard, clock.now() - 30 * DAY)]


async def test_without_money_nothing_is_lost(
    x: X, connector: XConnector, context: Context, journal: MiniJournal, clock: FakeClock
) -> None:
    for number in range(60):
        x.message(number, f"No. {number}", age=(60 - number) * MINUTE)
    poor = make(x, context, monthly_budget=0.5)
    with pytest.raises(OutOfMoney):
        await hear(poor, journal)
    assert 0 < len(journal.raws) < 60
    await hear(make(x, context, monthly_budget=50), journal)
    assert len(journal.raws) == 60


@pytest.mark.parametrize(
    "row", [{"id": None}, {"created_at": "soon"}, {"created_at": "0001-01-01T00:00:00+14:00"}, {"id": ["7"]}]
)
async def test_what_cannot_be_read_is_kept(
    x: X, connector: XConnector, journal: MiniJournal, row: dict[str, Any]
) -> None:
    x.message(1, "refund")
    x._talk = lambda query: {"data": [{**x.messages[0], **row}, 7], "meta": {}}  # type: ignore[method-assign] # nonsense
    await hear(connector, journal)
    assert [bool(raw.quarantine) for raw in journal.raws] == [True, True]


def test_a_message_of_wrong_types_is_refused_alone() -> None:
    body = b'{"message": {"id": 7, "text": []}}'
    raw = Raw(key="dm:7", body=body, media_type="application/json", received_at=START, context={"kind": "message"})
    with pytest.raises(BadMessage, match="dm:7"):
        XConnector.parse(raw, make_settings(client_id=CLIENT))


async def test_a_limit_says_when_to_come_back(x: X, connector: XConnector, journal: MiniJournal) -> None:
    x.fail(429, "Too Many Requests", **{"x-rate-limit-reset": str(int((START + 5 * MINUTE).timestamp()))})
    with pytest.raises(RetryLater) as caught:
        await hear(connector, journal)
    assert caught.value.after_seconds == 300


async def test_check_says_what_a_message_costs(x: X, connector: XConnector) -> None:
    told = await connector.check()
    assert "USD 0.020 for a private message with its author" in told.details
