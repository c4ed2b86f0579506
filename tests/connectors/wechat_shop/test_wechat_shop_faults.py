"""What goes wrong with a shop: orders that cannot be had or read, and what the platform's answers ask for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from allears_sdk.errors import AllearsError, AuthError, BadMessage, ConfigError, RetryLater, Unavailable
from allears_sdk.testing import FakeClock
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.wechat_shop import WechatShopConnector
from tests.connectors._wechat.platform import SECRET, fault
from tests.connectors.wechat_shop.conftest import DISPUTED, ORDER, Connect, heard, make_settings, raw_of
from tests.connectors.wechat_shop.shop import AFTER_SALE, DISPUTE, LIST, NOW, PRODUCT, Shop, make_after_sale

HOUR = timedelta(hours=1)


async def test_an_order_that_is_refused_is_a_letter_and_stops_no_other(
    connect: Connect, shop: Shop, journal: MiniJournal
) -> None:
    shop.write(1, complaint_id="9000009")
    shop.write(2, age=3601)
    shop.odd_rows = ["2000000000000099", None, 2000000000000098]
    await hear(connect(), journal)
    assert sorted(raw.key for raw in journal.raws) == sorted(shop.orders)
    reasons = {missing.key: missing.reason for missing in journal.missing.values()}
    assert "no such after-sales order" in reasons["2000000000000099"]
    assert {"2000000000000098", "dispute:9000009"} < set(reasons)
    assert len(reasons) == 4


async def test_one_that_cannot_be_had_now_is_had_later(
    connect: Connect, shop: Shop, journal: MiniJournal, clock: FakeClock
) -> None:
    shop.write(1)
    shop.write(2, age=3000)
    shop.fail(AFTER_SALE, fault(-1, "system error"))
    connector = connect()
    with pytest.raises(Unavailable):
        await hear(connector, journal)
    assert [raw.key for raw in journal.raws] == [ORDER]
    clock.advance(HOUR)
    await hear(connector, journal)
    assert {raw.key for raw in journal.raws} == set(shop.orders)


async def test_a_title_that_is_not_to_be_had_stops_nothing(connect: Connect, shop: Shop, journal: MiniJournal) -> None:
    shop.fail(PRODUCT, fault(48001, "api unauthorized"), {"errcode": 0, "product": []})
    shop.write(1)
    shop.write(2, age=3601)
    assert {one.product for one in await heard(connect(), journal) if one.order} == {"10000076089602"}


@pytest.mark.parametrize("path", [LIST, AFTER_SALE, DISPUTE])
@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (lambda: web.Response(status=403), ConfigError, "IP whitelist"),
        (lambda: web.Response(status=429, headers={"Retry-After": "7"}), RetryLater, "429"),
        (lambda: fault(45011), RetryLater, "minute"),
        (lambda: fault(48001), ConfigError, "permission"),
        (lambda: fault(40125), AuthError, "secret"),
    ],
)
async def test_answers_say_what_is_to_be_done(
    connect: Connect, shop: Shop, journal: MiniJournal, path: str, answer: Any, error: type[AllearsError], text: str
) -> None:
    shop.disputes["9000001"] = {"status": 100, "history": []}
    shop.write(1, **DISPUTED)
    shop.fail(path, *[answer() for _ in range(3)])
    with pytest.raises(error, match=text) as caught:
        await hear(connect(), journal)
    assert SECRET not in str(caught.value) + caught.value.detail
    assert getattr(caught.value, "after_seconds", 7) in (7.0, 60.0)


async def test_an_expired_token_is_replaced_once(
    connect: Connect, shop: Shop, journal: MiniJournal, clock: FakeClock
) -> None:
    shop.write(1)
    connector = connect()
    await hear(connector, journal)
    shop.revoke()
    clock.advance(HOUR)
    await hear(connector, journal)
    assert shop.tokens_given == 2


@pytest.mark.parametrize(
    "page",
    [
        {"after_sale_order_id_list": "all"},
        {"after_sale_order_id_list": [], "has_more": True},
        {"after_sale_order_id_list": [], "has_more": True, "next_key": 7},
    ],
)
async def test_lists_that_are_none(connect: Connect, shop: Shop, journal: MiniJournal, page: dict[str, Any]) -> None:
    shop.fail(LIST, *[{"errcode": 0, **page}] * 3)
    with pytest.raises(Unavailable):
        await hear(connect(), journal)


@pytest.mark.parametrize(
    "wrong",
    [
        {"create_time": None},
        {"after_sale_order_id": []},
        {"reason_text": {"x": 1}},
        {"details": {"media_id_list": "m-1"}},
        {"refund_info": {"amount": "many"}},
    ],
)
def test_orders_that_cannot_be_read_are_letters(wrong: dict[str, Any]) -> None:
    order = make_after_sale(ORDER, "质量问题", create_time=NOW) | wrong
    with pytest.raises(BadMessage, match=ORDER):
        WechatShopConnector.parse(raw_of({"after_sale_order": order}), make_settings())


@pytest.mark.parametrize("history", ["x", [7], [{"item_type": "1"}], {"item_type": None}])
async def test_a_dispute_that_makes_no_sense_is_a_letter(
    connect: Connect, shop: Shop, journal: MiniJournal, history: Any
) -> None:
    shop.disputes["9000001"] = {"status": 100, "history": history}
    shop.write(1, **DISPUTED)
    connector = connect()
    for _ in range(2):
        await hear(connector, journal)
    good, bad = journal.raws
    assert connector.parse(good, connector.settings)[0].text == "质量问题"
    with pytest.raises(BadMessage):
        connector.parse(bad, connector.settings)


@pytest.mark.parametrize(
    "wrong",
    [{"app_id": "gh_1"}, {"token": "a b"}, {"encoding_aes_key": "short"}, {"encoding_aes_key": None}, {"mode": "no"}],
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**wrong)
