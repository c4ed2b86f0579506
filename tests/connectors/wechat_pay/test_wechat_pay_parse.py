"""A complaint with its history in, messages out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role
from allears_sdk.testing.clock import START
from connectors.wechat_pay import WechatPayConnector

ID = "200201820200101080076610000"
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
URL = "https://api.mch.weixin.qq.com/v3/merchant-service/images/ChsyMDAw%3D%3D"
CUSTOMER = Author(id=OPENID, phone="13800138000")


def step(log: str, kind: str, details: str = "", **more: Any) -> dict[str, Any]:
    given = {"log_id": log, "operator": "投诉人", "operate_time": f"2026-11-20T13:29:{len(log):02d}.120+08:00"}
    return {**given, "operate_type": kind, "operate_details": details, **more}


def raw(history: list[dict[str, Any]] | None = None, *, ordinal: int = 1, **more: Any) -> Raw:
    complaint = {
        "complaint_id": ID,
        "complaint_time": "2026-11-20T13:29:35.120+08:00",
        "complaint_detail": "反馈一个重复扣费的问题",
        "complainted_mchid": "1900012181",
        "complaint_state": "PENDING",
        "payer_openid": OPENID,
        "complaint_order_info": [
            {
                "transaction_id": "4200000404201909069117582536",
                "out_trade_no": "20190906154617947762231",
                "amount": 1250,
            }
        ],
        "complaint_full_refunded": False,
        "incoming_user_response": True,
        "problem_description": "不满意商家服务",
        "problem_type": "REFUND",
        "apply_refund_amount": 1250,
        "user_complaint_times": 1,
        "user_tag_list": ["TRUSTED", "OTHERS"],
        **more,
    }
    body = json.dumps({"complaint": complaint, "history": history or []}, ensure_ascii=False)
    return Raw(
        key=ID,
        body=body.encode(),
        media_type="application/json",
        received_at=START,
        ordinal=ordinal,
        context={"phone": "13800138000"},
    )


def parse(one: Raw) -> list[Message]:
    return list(WechatPayConnector.parse(one, None))


def test_a_usual_complaint() -> None:
    said, facts = parse(raw())
    assert said.is_complaint
    assert (said.text, said.subject, said.order) == (
        "反馈一个重复扣费的问题",
        "不满意商家服务",
        "20190906154617947762231",
    )
    assert (said.external_id, said.kind, said.thread, said.author) == (ID, Kind.SAID, (), CUSTOMER)
    assert said.posted_at == datetime(2026, 11, 20, 5, 29, 35, 120_000, tzinfo=UTC)
    assert (facts.author.role, facts.thread, facts.is_complaint) == (Role.BOT, (ID,), False)
    assert facts.text.splitlines() == [
        f"投诉单号：{ID}",
        "投诉单状态：待处理",
        "问题类型：申请退款",
        "微信支付订单号：4200000404201909069117582536",
        "商户订单号：20190906154617947762231",
        "订单金额：12.50 元",
        "申请退款金额：12.50 元",
        "用户投诉次数：1",
        "用户标签：可信用户",
    ]


def test_every_step_has_its_speaker() -> None:
    history = [
        step("1", "USER_CREATE_COMPLAINT", "反馈一个重复扣费的问题"),
        step("22", "USER_CREATE_COMPLAINT_SYSTEM_MESSAGE", "用户提交了投诉", operator="系统"),
        step("333", "MERCHANT_RESPONSE", "亲，已为您登记", operator="商户"),
        step(
            "4444",
            "MERCHANT_RESPONSE",
            "您好，我是智能客服",
            operator="商户",
            normal_message={"sender_identity": "MACHINE"},
        ),
        step("55555", "USER_RESPONSE", "I want my money back 😡"),
        step("666666", "PLATFORM_RESPONSE", "请商户尽快处理", operator="平台客服"),
        step("7777777", "USER_APPLY_PLATFORM_SERVICE", user_appy_platform_service_reason="商家不处理"),
        step("88888888", "SOMETHING_NEW", "新的类型", operator="系统"),
    ]
    _, _, *steps = parse(raw(history[::-1]))
    assert [(one.author.role.value, one.author.name, one.text) for one in steps] == [
        ("bot", "系统", "用户提交了投诉"),
        ("company", "商户", "亲，已为您登记"),
        ("bot", "商户", "您好，我是智能客服"),
        ("customer", "", "I want my money back 😡"),
        ("bot", "平台客服", "请商户尽快处理"),
        ("customer", "", "商家不处理"),
        ("bot", "系统", "新的类型"),
    ]
    assert {one.thread for one in steps} == {(ID,)}
    assert {one.author.id for one in steps if one.author.role is Role.CUSTOMER} == {OPENID}


def test_acts_without_words_say_what_was_done() -> None:
    _, _, *steps = parse(raw([step("1", "USER_CONTINUE_COMPLAINT"), step("22", "MERCHANT_APPROVE_REFUND", " ")]))
    assert [one.text for one in steps] == ["用户继续投诉", "商户同意退款"]


def test_a_beginning_that_says_more_than_the_complaint_is_kept() -> None:
    _, _, *steps = parse(raw([step("1", "USER_CREATE_COMPLAINT", "反馈一个重复扣费的问题，扣了三次")]))
    assert [one.text for one in steps] == ["反馈一个重复扣费的问题，扣了三次"]


def test_pictures_stay_at_the_platform_until_they_are_fetched() -> None:
    media = {"media_type": "OPERATION_IMAGE", "media_url": [URL, f"{URL}2"]}
    history = [
        step("1", "USER_CREATE_COMPLAINT", "反馈一个重复扣费的问题", image_list=["https://qpic.cn/a"]),
        step("22", "USER_RESPONSE", "照片", complaint_media_list=media, image_list=["https://qpic.cn/the-same"]),
        step("333", "USER_RESPONSE", "", normal_message={"blocks": [
            {"type": "TEXT", "text": {"text": "见图"}}, {"type": "IMAGE", "image": {"media_id": "m1"}}]}),
    ]  # fmt: skip
    said, _, response, message = parse(raw(history))
    assert said.attachments == (picture("https://qpic.cn/a", "1", 0, "投诉图片 1"),)
    assert response.attachments == (picture(URL, "22", 0, "凭证 1"), picture(f"{URL}2", "22", 1, "凭证 2"))
    assert (message.text, message.attachments) == ("见图", (picture("m1", "333", 0, "凭证 1"),))
    with_media = raw(history, complaint_media_list=[{"media_type": "USER_COMPLAINT_IMAGE", "media_url": [URL]}])
    assert parse(with_media)[0].attachments == (picture(URL, "", 0, "投诉图片 1"),)


def picture(url: str, log: str, index: int, title: str) -> Attachment:
    ref = Ref(locator={"url": url, "complaint": ID, "log": log, "index": index})
    return Attachment(name="", title=title, media_type="image/*", ref=ref)


def test_what_was_said_before_is_not_said_again() -> None:
    """The journal knows a message by its id and revision: only what is new may have new ones."""

    def known(messages: list[Message]) -> set[tuple[str, str]]:
        return {(one.external_id, one.revision) for one in messages}

    before = parse(raw([step("1", "USER_CREATE_COMPLAINT")]))
    history = [step("1", "USER_CREATE_COMPLAINT"), step("22", "MERCHANT_RESPONSE", "已登记")]
    after = parse(raw(history, ordinal=2, complaint_state="PROCESSING", incoming_user_response=False))
    new = [one for one in after if (one.external_id, one.revision) not in known(before)]
    assert [(one.external_id, one.kind) for one in new] == [(f"{ID}-facts", Kind.EDITED), ("22", Kind.SAID)]
    assert "投诉单状态：处理中" in new[0].text


def test_a_complaint_that_was_taken_back() -> None:
    *_, last = parse(raw([step("1", "USER_CREATE_COMPLAINT"), step("22", "USER_REVOKE_COMPLAINT", "已协商解决")]))
    assert (last.external_id, last.kind, last.text) == (ID, Kind.WITHDRAWN, "已协商解决")


@pytest.mark.parametrize(
    ("more", "order"),
    [
        ({"complaint_order_info": []}, ""),
        ({"complaint_order_info": None}, ""),
        ({"complaint_order_info": [{"transaction_id": "42000018"}]}, "42000018"),
        (
            {"complaint_order_info": [], "service_order_info": [{"order_id": "15646546545165651651"}]},
            "15646546545165651651",
        ),
    ],
)
def test_orders_that_are_told_differently(more: dict[str, Any], order: str) -> None:
    assert parse(raw(**more))[0].order == order


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (1687918595000, datetime(2023, 6, 28, 2, 16, 35, tzinfo=UTC)),
        ("yesterday", None),
        ("2026-11-20T13:29:35", None),
        (10**30, None),
        (None, None),
    ],
)
def test_times(time: Any, expected: datetime | None) -> None:
    assert parse(raw(complaint_time=time))[0].posted_at == expected


def test_hardly_anything_is_needed() -> None:
    body = b'{"complaint": {"complaint_id": "1"}, "history": []}'
    said, facts = parse(Raw(key="1", body=body, media_type="application/json", received_at=START))
    assert (said.text, said.author, said.is_complaint) == ("", Author(), True)
    assert facts.text == "投诉单号：1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"complaint": {}, "history": []}',
        b'{"complaint": {"complaint_id": 7}, "history": []}',
        b'{"complaint": {"complaint_id": "7", "complaint_detail": ["x"]}, "history": []}',
        b'{"complaint": {"complaint_id": "7"}, "history": [{}]}',
        b'{"complaint": {"complaint_id": "7"}, "history": {"log_id": "1"}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_named(body: bytes) -> None:
    with pytest.raises(BadMessage, match="complaint K"):
        parse(Raw(key="K", body=body, media_type="application/json", received_at=START))
