"""Taobao's message service: what is confirmed when, and what becomes of messages that lead nowhere."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allears_sdk.errors import Unavailable
from allears_sdk.testing import FakeClock
from allears_sdk.testing.journal import Died, MiniJournal, hear
from tests.connectors.taobao.conftest import Connect, Taobao, failed, heard, listed

MESSAGES = ["messages"]


async def test_messages_are_confirmed_once_they_are_on_disk(
    connect: Connect, taobao: Taobao, journal: MiniJournal
) -> None:
    taobao.claim(1, "漏水")
    taobao.tell("taobao_refund_RefundCreated", {"refund_id": 170000000000000001, "tid": 3})
    connector = connect(sources=MESSAGES)
    with pytest.raises(Died):
        await hear(connector, journal, die_at=0)
    assert len(taobao.queue) == 1
    with pytest.raises(Died):
        await hear(connector, journal, die_at=0, is_stored=True)
    assert (len(taobao.queue), len(journal.raws)) == (1, 1)
    await hear(connector, journal)
    assert (taobao.queue, len(journal.raws)) == ({}, 1)


async def test_a_message_and_the_list_tell_of_one_refund(
    connect: Connect, taobao: Taobao, journal: MiniJournal, clock: FakeClock
) -> None:
    taobao.claim(1, "漏水", age=timedelta())
    for topic in ("RefundCreated", "RefundBuyerModifyAgreement"):
        taobao.tell(f"taobao_refund_{topic}", {"refund_id": "170000000000000001"})
    clock.advance(300)
    await heard(connect(sources=["refunds", "messages"]), journal)
    assert [raw.key for raw in journal.raws] == ["refund:170000000000000001"]
    assert [call["method"] for call in taobao.calls].count("taobao.refund.get") == 2


async def test_a_rated_order_brings_its_ratings(connect: Connect, taobao: Taobao, journal: MiniJournal) -> None:
    taobao.rate(1, "漏水")
    taobao.rate(2, "别家的")
    taobao.tell("taobao_trade_TradeRated", {"tid": 3000000000000000001, "oid": 3100000000000000001, "rater": "buyer"})
    assert [one.text for one in await heard(connect(sources=MESSAGES), journal)] == ["漏水"]


async def test_messages_of_other_kinds_and_shops_are_confirmed(
    connect: Connect, taobao: Taobao, journal: MiniJournal
) -> None:
    taobao.claim(1, "漏水")
    taobao.tell("taobao_trade_TradeBuyerPay", {"tid": 1})
    taobao.tell("taobao_refund_RefundCreated", {"refund_id": 170000000000000001}, nick="别的店")
    assert await heard(connect(sources=MESSAGES, message_group="allears"), journal) == []
    assert taobao.queue == {}
    assert {call.get("group_name") for call in taobao.calls} == {"allears"}


async def test_a_message_of_what_is_gone_or_makes_no_sense_is_a_letter(
    connect: Connect, taobao: Taobao, journal: MiniJournal
) -> None:
    taobao.claim(1, "漏水")
    gone = taobao.tell("taobao_refund_RefundClosed", {"refund_id": 99})
    for content in ("{", "[]", "null", '{"tid": 5}'):
        taobao.tell("taobao_refund_RefundCreated", content)
    taobao.tell("taobao_refund_RefundCreated", {"refund_id": 170000000000000001})
    assert len(await heard(connect(sources=MESSAGES), journal)) == 2
    assert set(journal.missing) == {f"message:{gone}"}
    assert sum(bool(raw.quarantine) for raw in journal.raws) == 4
    assert taobao.queue == {}


async def test_a_message_whose_details_fail_now_comes_again_and_stops_no_other(
    connect: Connect, taobao: Taobao, journal: MiniJournal
) -> None:
    for number in (1, 2):
        taobao.claim(number, "漏水")
        taobao.tell("taobao_refund_RefundCreated", {"refund_id": 170000000000000000 + number})
    queue = list(taobao.queue.values())
    told = listed("tmc_messages_consume_response", "messages", "tmc_message", queue, None)
    taobao.faults = [told, failed(15, "isp.top-remote-service-unavailable")]
    with pytest.raises(Unavailable):
        await hear(connect(sources=MESSAGES), journal)
    assert [raw.key for raw in journal.raws] == ["refund:170000000000000002"]
    assert len(taobao.queue) == 1
    await hear(connect(sources=MESSAGES), journal)
    assert (len(journal.raws), taobao.queue) == (2, {})


async def test_a_message_whose_details_never_come_is_a_letter_in_the_end(
    connect: Connect, taobao: Taobao, journal: MiniJournal
) -> None:
    connector = connect(sources=MESSAGES)
    number = taobao.tell("taobao_refund_RefundCreated", {"refund_id": 5})
    told = listed("tmc_messages_consume_response", "messages", "tmc_message", list(taobao.queue.values()), None)
    for _ in range(2):
        taobao.faults = [told, failed(15, "isp.service-error")]
        with pytest.raises(Unavailable):
            await hear(connector, journal)
    taobao.faults = [told, failed(15, "isp.service-error")]
    await hear(connector, journal)
    assert (set(journal.missing), taobao.queue) == ({f"message:{number}"}, {})
