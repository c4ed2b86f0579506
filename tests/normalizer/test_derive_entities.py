"""Which words are taken for what, and which must not be."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from allears_sdk.complaint import Entities
from allears_sdk.message import Message
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive

AT = datetime(2024, 6, 1, tzinfo=UTC)


def entities(text: str) -> Entities:
    heard = (Heard(message=Message(text=text, external_id="1"), received_at=AT),)
    return derive(
        Conversation(reference="ALE", opened_at=AT, messages=heard), Facts(channel="c", connector="form")
    ).entities


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("订单号3384756201948857231 给退了吧", Entities(order=("3384756201948857231",))),
        ("合同号DZ-0417-226，付了8000元", Entities(order=("DZ-0417-226",), amount=("8000元",))),
        ("Order 204-7719350-4482716, £164.99", Entities(order=("204-7719350-4482716",), amount=("£164.99",))),
        ("my order #1264 is late", Entities(order=("#1264",))),
        ("快递单号 78420011938265 一直不动", Entities(tracking=("78420011938265",))),
        ("SF1428837765102 卡在鄂州三天了", Entities(tracking=("SF1428837765102",))),
        ("Tracking (1Z84V0570391226648) says delivered", Entities(tracking=("1Z84V0570391226648",))),
        ("手机 138 0013 8000，座机 0755-8600 0123", Entities(phone=("138 0013 8000", "0755-8600 0123"))),
        ("139****5521（微信同号）", Entities(phone=("139****5521",))),
        ("打400-818-0000没人接", Entities(phone=("400-818-0000",))),
        ("call me on +44 7700 900456 or 503-555-0147", Entities(phone=("+44 7700 900456", "503-555-0147"))),
        ("加我薇❤ lin_cc88", Entities(wechat=("lin_cc88",))),
        (
            "邮箱 shi.yh@lanqiao.example 微信：luzx_0513",
            Entities(email=("shi.yh@lanqiao.example",), wechat=("luzx_0513",)),
        ),
        ("找王经理，他姓王；联系人：江予安", Entities(person=("王经理", "江予安"))),
        ("I spoke to Ms Lin about it", Entities(person=("Lin",))),
        ("型号 CR-D450 坏了", Entities(product=("CR-D450",))),
    ],
)
def test_named_things(text: str, expected: Entities) -> None:
    assert entities(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "验证码482915 刚输完就说过期",
        "身份证号44030719920815001X",
        "会员号88201733654，桌号B12",
        "2024年5月28日 10:14 下的单",
        "发票号码 28817365 抬头错了",
        "card number 4111 1111 1111 1111",
        "里面有10块是坏的",
        "区域经理说不行",
        "@青豚快递 还没到",
    ],
)
def test_numbers_that_are_nothing_of_the_kind(text: str) -> None:
    assert entities(text) == Entities()


def test_a_price_or_a_date_is_no_order() -> None:
    found = entities("订单 6月3号下的，688元，订单3天没动")

    assert found.order == ()
    assert found.amount == ("688元",)


def test_quoted_replies_give_order_numbers_only() -> None:
    found = entities(
        "请统一好再来回我！\n\n程书意\n\n------------------ 原始邮件 ------------------\n"
        "发件人: 售后 <service@yuemu.example>\n"
        "亲爱的顾客，您的订单 182664093775201883 已通过，如有疑问请拨打400-820-0000。"
    )

    assert found == Entities(order=("182664093775201883",), person=("程书意",))
