"""A shop's after-sales orders: what is read, how often, and what the platform's answers ask for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.connector import Request
from allears_sdk.errors import RetryLater
from allears_sdk.message import Kind, Message, Role
from allears_sdk.signing import OutsideWindow
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.wechat_shop import WechatShopConnector
from tests.connectors._wechat.platform import fault
from tests.connectors._wechat.pushing import make_fields, make_xml, push_plain, push_sealed, push_sealed_json
from tests.connectors.wechat_shop.conftest import DISPUTED, ORDER, Connect, heard, make_settings, raw_of
from tests.connectors.wechat_shop.shop import (
    AFTER_SALE,
    LIST,
    NOW,
    Shop,
    make_after_sale,
    make_step,
)

HOUR = timedelta(hours=1)


async def polled(connector: WechatShopConnector, journal: MiniJournal, **hint: str) -> None:
    (stream,) = await connector.streams()
    async for batch in connector.poll(stream, journal.cursors.get(stream), hint, 10):
        journal.accept(stream, batch)


def said(messages: list[Message], role: Role = Role.CUSTOMER) -> list[str]:
    return [message.text for message in messages if message.author.role is role]


def event(name: str, field: str, **told: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {field: told}
    return make_fields(MsgType="event", Event=name, **fields)


async def test_an_order_is_read_exactly(connect: Connect, shop: Shop, journal: MiniJournal) -> None:
    details = {"desc": "面霜打开是坏的，要求退款😡", "media_id_list": ["DD1Ym"], "tel_number": "13800000000"}
    shop.write(1, details=details, create_time=NOW - 3600)
    opening, facts = await heard(connect(), journal)
    assert (opening.text, opening.subject) == ("质量问题\n面霜打开是坏的，要求退款😡", "退货退款：质量问题")
    assert (opening.external_id, opening.kind, opening.is_complaint) == (ORDER, Kind.SAID, True)
    assert (opening.author.id, opening.author.phone) == ("oShop1234efgh5678ijkl", "13800000000")
    assert (opening.product, opening.order) == ("保湿面霜 50ml", "3707636310244721920")
    assert opening.posted_at == START - HOUR
    assert [one.ref and one.ref.locator for one in opening.attachments] == [{"media_id": "DD1Ym"}]
    assert (facts.author.role, facts.thread) == (Role.BOT, (ORDER,))
    assert "售后状态：商家受理中" in facts.text
    assert "退款金额：99.00 元" in facts.text


async def test_an_english_one_with_much_left_out(connect: Connect, shop: Shop, journal: MiniJournal) -> None:
    shop.orders[ORDER] = {
        "after_sale_order_id": int(ORDER),
        "create_time": str(NOW - 60),
        "reason_text": "Arrived broken, refund please",
    }
    opening, _ = await heard(connect(), journal)
    assert (opening.external_id, opening.text, opening.product) == (ORDER, "Arrived broken, refund please", "")


@pytest.mark.parametrize(
    ("more", "is_complaint", "is_automatic"),
    [
        ({}, False, True),
        ({"reason_text": "", "reason": "拍错/多拍"}, True, False),
        ({"reason_text": "", "reason": "10000000"}, False, True),
        ({"details": {"desc": "颜色和图片差太多"}}, False, False),
        ({"reason_text": "少件/漏发"}, True, False),
    ],
)
async def test_reasons_that_are_no_complaints(more: dict[str, Any], is_complaint: bool, is_automatic: bool) -> None:
    order = make_after_sale(ORDER, "不想要了", create_time=NOW) | more
    opening = WechatShopConnector.parse(
        raw_of({"after_sale_order": order}), make_settings(plain_reasons=("不想要", "10000000"))
    )[0]
    assert (opening.is_complaint, opening.is_automatic) == (is_complaint, is_automatic)


async def test_a_dispute_makes_a_complaint_of_any_reason_and_its_steps_are_follow_ups(
    connect: Connect, shop: Shop, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect()
    shop.write(1, "不想要了")
    (quiet, _) = await heard(connector, journal)
    assert quiet.is_automatic
    clock.advance(HOUR)
    applied = make_step(1, NOW + 1800, "商家不肯退款", phone_number=13900000000, media_id_list=["m-1"])
    shop.disputes["9000001"] = {"status": 100, "history": [make_step(10, NOW + 1801), applied]}
    merchant: dict[str, Any] = {"merchant_upload_info": {"reject_reason": "已拆封不支持退款"}}
    shop.write(1, "不想要了", age=-1802, **DISPUTED, **merchant)
    found = await heard(connector, journal)
    assert said(found) == ["不想要了", "商家不肯退款"]
    assert said(found, Role.COMPANY) == ["已拆封不支持退款"]
    assert "待商家处理" in said(found, Role.BOT)
    assert (found[0].external_id, found[0].is_complaint) == (quiet.external_id, True)
    asked = next(one for one in found if one.text == "商家不肯退款")
    assert (asked.is_complaint, asked.author.phone, asked.thread) == (True, "13900000000", (ORDER,))
    assert len(asked.attachments) == 1


async def test_news_of_a_dispute_that_the_list_does_not_tell(
    connect: Connect, shop: Shop, journal: MiniJournal, clock: FakeClock
) -> None:
    shop.disputes["9000001"] = {"status": 100, "history": [make_step(1, NOW - 3000, "商家不肯退款")]}
    shop.write(1, **DISPUTED)
    connector = connect()
    first = await heard(connector, journal)
    clock.advance(HOUR)
    shop.disputes["9000001"]["history"].insert(0, make_step(2, NOW + 60, "三天了还没有人处理"))
    later = await heard(connector, journal)
    assert said(first) == ["质量问题", "商家不肯退款"]
    assert said(later) == ["商家不肯退款", "三天了还没有人处理"]
    assert first[3].external_id == later[1].external_id, "a step is known again"
    shop.disputes["9000001"]["status"] = 112
    clock.advance(HOUR)
    assert any("调解完成" in text for text in said(await heard(connector, journal), Role.BOT))
    asked = shop.called(AFTER_SALE)
    clock.advance(HOUR)
    await hear(connector, journal)
    assert shop.called(AFTER_SALE) == asked, "what is settled is looked at no more"


async def test_a_refused_customer_may_turn_to_the_platform_unheard_by_the_list(
    connect: Connect, shop: Shop, journal: MiniJournal, clock: FakeClock
) -> None:
    shop.write(1, status="MERCHANT_REJECT_REFUND")
    connector = connect()
    await hear(connector, journal)
    clock.advance(HOUR)
    shop.orders[ORDER]["complaint_id"] = "9000001"
    shop.disputes["9000001"] = {"status": 101, "history": make_step(1, NOW + 5, "申请平台介入")}
    assert "申请平台介入" in said(await heard(connector, journal))


async def test_a_cancelled_order_is_noted(connect: Connect, shop: Shop, journal: MiniJournal, clock: FakeClock) -> None:
    shop.write(1)
    connector = connect()
    await hear(connector, journal)
    clock.advance(HOUR)
    shop.write(1, age=-1800, status="USER_CANCELD")
    last = (await heard(connector, journal))[-1]
    assert (last.kind, last.external_id, last.text) == (Kind.WITHDRAWN, ORDER, "用户取消申请")


async def test_seconds_that_run_down_are_no_news(
    connect: Connect, shop: Shop, journal: MiniJournal, clock: FakeClock
) -> None:
    shop.write(1)
    connector = connect()
    await hear(connector, journal)
    clock.advance(HOUR)
    lent = {"virtual_tel_number": "17000000000-1234", "virtual_tel_expire_time": NOW + 9000}
    shop.write(1, age=-1800, deadline=99, virtual_tel_num_info=lent)
    assert await heard(connector, journal) == []


@pytest.mark.parametrize("limit", [1, 7])
async def test_three_days_without_us_lose_nothing(
    connect: Connect, shop: Shop, journal: MiniJournal, clock: FakeClock, limit: int
) -> None:
    shop.page_items = 5
    shop.write(0)
    connector = connect()
    await hear(connector, journal)
    clock.advance(timedelta(days=3))
    for number in range(1, 61):
        shop.write(number, f"第 {number} 件：质量问题", age=-number * 4200)
    await hear(connect(), journal, limit=limit)
    assert {raw.key for raw in journal.raws} == set(shop.orders)
    assert len(journal.raws) == 61
    assert journal.gaps == []
    spans = [(body["begin_update_time"], body["end_update_time"]) for path, _, body in shop.calls if path == LIST]
    assert all(end - begin <= 86_400 for begin, end in spans)


async def test_what_is_older_is_heard_when_it_changes(
    connect: Connect, shop: Shop, journal: MiniJournal, clock: FakeClock
) -> None:
    shop.write(1, age=30 * 86_400)
    connector = connect()
    assert await heard(connector, journal) == []
    clock.advance(HOUR)
    shop.write(1, "质量问题", age=-60)
    assert said(await heard(connector, journal)) == ["质量问题"]


async def test_an_interrupted_span_goes_on_at_its_page(
    connect: Connect, shop: Shop, journal: MiniJournal, clock: FakeClock
) -> None:
    shop.page_items = 2
    for number in range(8):
        shop.write(number, age=3600 + number)
    connector = connect()
    shop.fail(AFTER_SALE, *[{"errcode": 0, "after_sale_order": one} for one in list(shop.orders.values())[:4]])
    shop.fail(AFTER_SALE, fault(45009, "reach max api daily quota limit"))
    with pytest.raises(RetryLater):
        await hear(connector, journal)
    assert next(iter(journal.cursors.values()))["position"] == "4"
    await hear(connector, journal)
    assert {raw.key for raw in journal.raws} == set(shop.orders)
    pages = [body.get("next_key") for path, _, body in shop.calls if path == LIST]
    assert [page for page in pages if page] == ["2", "4", "4", "6"]


async def test_a_position_that_was_forgotten_begins_the_span_anew(
    connect: Connect, shop: Shop, journal: MiniJournal
) -> None:
    connector = connect()
    (stream,) = await connector.streams()
    shop.write(1)
    journal.cursors[stream] = {"version": 1, "since": NOW - 7200, "end": NOW - 60, "position": "gone"}
    shop.fail(LIST, fault(9700224, "invalid next_key"))
    assert said(await heard(connector, journal)) == ["质量问题"]


async def test_a_push_names_what_is_to_be_read(connect: Connect, shop: Shop, journal: MiniJournal) -> None:
    connector = connect()
    await hear(connector, journal)
    shop.write(1, age=0)
    request = push_sealed_json(
        event("channels_ec_complaint_update", "finder_shop_complaint", after_sale_order_id=ORDER, complaint_id="9")
    )
    reception = await connector.receive(request)
    (wake,) = reception.wakes
    assert (wake.hint, reception.answer(()).body) == ({"order": ORDER}, b"success")
    await polled(connector, journal)  # the hint gave way to a newer one
    assert [raw.key for raw in journal.raws] == [ORDER]


@pytest.mark.parametrize("sealed", [False, True])
async def test_pushes_in_xml_and_in_the_clear(connect: Connect, sealed: bool) -> None:
    fields = event("channels_ec_aftersale_update", "finder_shop_aftersale_status_update", after_sale_order_id=ORDER)
    connector = connect() if sealed else connect(mode="plain")
    push = push_sealed if sealed else push_plain
    assert [wake.hint for wake in (await connector.receive(push(make_xml(**fields)))).wakes] == [{"order": ORDER}]


@pytest.mark.parametrize("order", ["", "1" * 65, "../x", [7]])
async def test_a_push_with_a_strange_number_only_wakes(connect: Connect, order: Any) -> None:
    pushed = event("channels_ec_complaint_update", "finder_shop_complaint", after_sale_order_id=order)
    assert [wake.hint for wake in (await connect().receive(push_sealed_json(pushed))).wakes] == [{}]


async def test_other_events_of_a_shop_are_answered_alone(connect: Connect) -> None:
    reception = await connect().receive(push_sealed_json(event("channels_ec_order_new", "order_info", order_id=1)))
    assert (reception.wakes, reception.raws, reception.answer(()).body) == ((), (), b"success")


async def test_whose_push_it_is_not(connect: Connect) -> None:
    fields = make_xml(**event("channels_ec_aftersale_update", "finder_shop_aftersale_status_update"))
    good = push_sealed(fields)
    query = tuple((name, "0" * 40 if name == "msg_signature" else value) for name, value in good.query)
    forged = Request(
        method="POST", path="", query=query, headers=good.headers, body=good.body, remote_address="", received_at=START
    )
    reception = await connect().receive(forged)
    assert reception.refused
    assert not reception.wakes
    assert (await connect().receive(push_plain(fields))).refused, "in the clear, where all is encrypted"
    with pytest.raises(OutsideWindow):
        await connect(replay_window_seconds=60).receive(
            Request(
                method="POST",
                path="",
                query=good.query,
                headers=good.headers,
                body=good.body,
                remote_address="",
                received_at=START + HOUR,
            )
        )


async def test_a_shop_whose_callback_goes_elsewhere_is_polled(
    connect: Connect, shop: Shop, journal: MiniJournal
) -> None:
    connector = connect(token="", encoding_aes_key=None)
    shop.write(1)
    assert said(await heard(connector, journal)) == ["质量问题"]
    reception = await connector.receive(push_plain("{}"))
    assert "set token" in reception.refused
    assert reception.answer(()).status == 503
    assert [str(one) for one in (await connector.check()).details] == [
        "after-sales orders of the last 24 hours: 1",
        "no callback: heard by polling",
    ]
