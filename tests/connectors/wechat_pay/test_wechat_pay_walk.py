"""Polls: listings whose pages shift, complaints that go on, and what goes wrong on the way."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from allears_sdk.connector import Address
from allears_sdk.errors import AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable, Void
from allears_sdk.message import Author, Message, Ref
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.wechat_pay import WechatPayConnector
from tests.connectors.conftest import Started
from tests.connectors.wechat_pay.conftest import Connect
from tests.connectors.wechat_pay.pay_server import NEXT_PLATFORM, PATH, PICTURE, PayServer, Signer


def keys(journal: MiniJournal) -> list[str]:
    return sorted(raw.key for raw in journal.raws)


def address(complaint: str, **more: Any) -> Address:
    moment = FakeClock().now()
    given: dict[str, Any] = {"message": complaint, "said_at": moment, "at": moment, "reference": "ALE-7K3M-Q9TX-4RWD"}
    return Address(to=Author(id="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"), **given | more)


async def test_every_page_of_every_window_is_read(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    told = [pay.complain(f"第 {n} 单", at=pay.now() - timedelta(days=n % 75)) for n in range(130)]
    connector = await started.start(connect(look_back=timedelta(days=80)))
    await hear(connector, journal)
    assert keys(journal) == sorted(told)


async def test_only_what_is_young_enough_is_read_at_first(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    pay.complain("旧的", at=pay.now() - timedelta(days=20))
    new = pay.complain("新的", at=pay.now() - timedelta(days=2))
    connector = await started.start(connect(look_back=timedelta(days=7)))
    await hear(connector, journal)
    await hear(connector, journal)
    assert keys(journal) == [new]


async def test_pages_that_shift_while_they_are_read_lose_nothing(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    told = [pay.complain(f"第 {number} 单") for number in range(70)]

    def more_come_in(request: web.Request) -> None:
        if request.path == PATH and len(told) < 75:
            told.append(pay.complain(f"读的时候来的第 {len(told)} 单"))

    pay.spoilers.append(more_come_in)
    connector = await started.start(connect())
    for _ in range(3):
        await hear(connector, journal)
    assert keys(journal) == sorted(told)


async def test_days_are_beijings(pay: PayServer, connect: Connect, started: Started, clock: FakeClock) -> None:
    clock.advance(timedelta(hours=13))  # 17:00 UTC: the next day has begun in Beijing
    connector = await started.start(connect())
    complaint = pay.complain("凌晨一点的投诉")
    journal = MiniJournal()
    await hear(connector, journal)
    assert keys(journal) == [complaint]
    assert any("end_date=2026-11-23" in call for call in pay.calls)


async def test_a_poll_without_news_costs_one_call(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    for number in range(12):
        pay.complain(f"第 {number} 单", complaint_state="PROCESSED", incoming_user_response=False)
    connector = await started.start(connect())
    await hear(connector, journal)
    pay.calls.clear()
    await hear(connector, journal)
    assert len(pay.calls) == 1


async def test_what_goes_on_is_heard_without_notifications(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = await started.start(connect())
    complaint = pay.complain("快递三周没到", at=pay.now() - timedelta(days=3))
    await hear(connector, journal)
    clock.advance(timedelta(days=40))  # no listing shows it any more
    pay.act(complaint, "USER_RESPONSE", "还是没到，我要退款")
    await hear(connector, journal)
    clock.advance(timedelta(minutes=16))
    pay.act(complaint, "USER_RESPONSE", "再不处理我就去12315")
    await hear(connector, journal)
    pay.complaints[complaint]["complaint_state"] = "PROCESSED"
    clock.advance(timedelta(minutes=16))
    await hear(connector, journal)
    assert len(journal.raws) == 4
    clock.advance(timedelta(minutes=16))
    pay.calls.clear()
    await hear(connector, journal)
    assert not any(complaint in call for call in pay.calls), "what is closed and old is not asked for any more"


async def test_a_closed_complaint_that_goes_on_is_heard(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = await started.start(connect())
    complaint = pay.complain("重复扣费", complaint_state="PROCESSED", incoming_user_response=False)
    await hear(connector, journal)
    clock.advance(timedelta(days=5))
    pay.complaints[complaint] |= {"complaint_state": "PENDING", "user_complaint_times": 2}
    pay.act(complaint, "USER_CONTINUE_COMPLAINT", "钱没退回来")
    await hear(connector, journal)
    assert len(journal.raws) == 2


async def test_a_long_history_is_read_to_its_end(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    connector = await started.start(connect())
    complaint = pay.complain("漏发")
    for number in range(170):
        pay.act(complaint, "USER_RESPONSE", f"第 {number} 次催")
    await hear(connector, journal)
    assert len(json.loads(journal.raws[0].body)["history"]) == 171


async def test_answers_that_would_be_too_large_are_asked_for_in_smaller_pages(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    pay.most_rows, pay.most_history = 7, 3
    told = [pay.complain(f"第 {number} 单") for number in range(20)]
    for number in range(10):
        pay.act(told[0], "USER_RESPONSE", f"第 {number} 次催")
    connector = await started.start(connect())
    await hear(connector, journal)
    assert keys(journal) == sorted(told)


async def test_one_complaint_that_fails_stops_no_other(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal, clock: FakeClock
) -> None:
    told = [pay.complain(f"第 {number} 单") for number in range(4)]
    fails = True

    def spoil(request: web.Request) -> web.Response | None:
        if fails and request.path.endswith(told[2]):
            return web.json_response({"code": "SYSTEM_ERROR", "message": "系统异常"}, status=500)
        return None

    pay.spoilers.append(spoil)
    connector = await started.start(connect())
    with pytest.raises(Unavailable):
        await hear(connector, journal)
    assert keys(journal) == sorted({*told} - {told[2]})
    fails = False
    clock.advance(timedelta(minutes=16))
    await hear(connector, journal)
    assert keys(journal) == sorted(told)


async def test_a_platform_that_is_down_is_not_asked_for_everything(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    for number in range(30):
        pay.complain(f"第 {number} 单")

    def down(request: web.Request) -> web.Response | None:
        return None if request.path == PATH or "certificates" in request.path else web.Response(status=502)

    pay.spoilers.append(down)
    connector = await started.start(connect())
    with pytest.raises(Unavailable):
        await hear(connector, journal)
    assert len(pay.calls) < 20


async def test_a_listed_complaint_without_a_number_becomes_a_letter(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    told = [pay.complain(f"第 {number} 单") for number in range(3)]
    pay.complaints[told[1]]["complaint_id"] = None
    connector = await started.start(connect())
    await hear(connector, journal)
    await hear(connector, journal)
    assert (len(journal.missing), keys(journal)) == (1, [told[0], told[2]])


async def test_a_listed_complaint_that_is_refused_becomes_a_letter(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    told = [pay.complain(f"第 {number} 单") for number in range(3)]

    def spoil(request: web.Request) -> web.Response | None:
        gone = request.path.endswith(told[1])
        return web.json_response({"code": "RESOURCE_NOT_EXISTS"}, status=404) if gone else None

    pay.spoilers.append(spoil)
    connector = await started.start(connect())
    await hear(connector, journal)
    assert list(journal.missing) == [told[1]]
    assert keys(journal) == [told[0], told[2]]


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        (401, "SIGN_ERROR", "签名错误", AuthError),
        (403, "NO_AUTH", "商户无权限", ConfigError),
        (429, "FREQUENCY_LIMITED", "频率超限", RetryLater),
        (429, "RATELIMIT_EXCEEDED", "频率超限", RetryLater),
        (500, "SYSTEM_ERROR", "系统异常", Unavailable),
        (502, "", "", Unavailable),
        (400, "PARAM_ERROR", "参数错误", Rejected),
    ],
)
async def test_faults_by_the_reaction_they_ask_for(
    pay: PayServer, connect: Connect, started: Started, status: int, code: str, message: str, expected: type[Exception]
) -> None:
    pay.spoilers.append(lambda request: web.json_response({"code": code, "message": message}, status=status))
    connector = await started.start(connect())
    with pytest.raises(expected):
        await connector.check()


async def test_an_answer_that_is_not_wechat_pays_is_not_believed(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    connector = await started.start(connect())
    await hear(connector, journal)
    pay.complain("伪造的应答")
    pay.signer = Signer("stranger", pay.signer.serial)
    with pytest.raises(Unavailable, match="not signed by WeChat Pay"):
        await hear(connector, journal)
    pay.signer = NEXT_PLATFORM  # which no list of certificates knows
    with pytest.raises(AuthError, match="public_key_id"):
        await hear(connector, journal)
    assert journal.raws == []


async def test_an_answer_of_another_time_points_to_the_clock(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = await started.start(connect())
    await hear(connector, journal)
    pay.now = lambda: clock.now() + timedelta(minutes=10)
    with pytest.raises(Unavailable, match="is the clock right"):
        await hear(connector, journal)


async def test_another_api_v3_key_is_told_by_its_name(pay: PayServer, connect: Connect, started: Started) -> None:
    connector = await started.start(connect(api_v3_key="x" * 32))
    with pytest.raises(AuthError, match="api_v3_key"):
        await connector.check()


async def test_a_phone_number_sealed_for_another_key_is_left_out(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal, log: RecordingLog
) -> None:
    pay.complain("没有电话", payer_phone="AAAA")
    pay.complain("也没有", payer_phone=None)
    connector = await started.start(connect())
    await hear(connector, journal)
    assert [raw.context for raw in journal.raws] == [{}, {}]
    assert "wechat_pay.phone_unreadable" in [entry[1] for entry in log.entries]


async def picture_of(connector: WechatPayConnector, journal: MiniJournal) -> tuple[list[Message], Ref]:
    await hear(connector, journal)
    messages = list(connector.parse(journal.raws[-1], None))
    (ref,) = [file.ref for message in messages for file in message.attachments if file.ref]
    return messages, ref


async def test_a_picture_is_fetched_with_a_signature_over_its_path(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    name = "ChsyMDAwMDAwMjAyMzA2MjgxMDAwOTMyNDQ5NDEYACDF852lBigBMAE4AQ%3D%3D"
    pay.pictures[name] = PICTURE
    media = [{"media_type": "USER_COMPLAINT_IMAGE", "media_url": [f"{pay.url}/v3/merchant-service/images/{name}"]}]
    pay.complain("屏幕碎了", complaint_media_list=media)
    connector = await started.start(connect())
    _, ref = await picture_of(connector, journal)
    fetched = await connector.fetch(ref)
    assert (fetched.content, fetched.media_type) == (PICTURE, "image/png")


async def test_an_address_that_has_expired_is_asked_for_anew(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    complaint = pay.complain("屏幕碎了")
    pay.act(complaint, "USER_RESPONSE", "这是照片", image_list=[f"{pay.url}/v3/merchant-service/images/old"])
    connector = await started.start(connect())
    _, ref = await picture_of(connector, journal)
    with pytest.raises(Rejected):
        await connector.fetch(ref)
    pay.pictures["new"] = PICTURE
    pay.history[complaint][0]["image_list"] = [f"{pay.url}/v3/merchant-service/images/new"]
    assert (await connector.fetch(ref)).content == PICTURE


async def test_a_picture_elsewhere_gets_no_signature_and_no_private_address(
    pay: PayServer, connect: Connect, started: Started
) -> None:
    connector = await started.start(connect())
    for url in ("http://127.0.0.1:9/x.png", "http://169.254.169.254/latest/meta-data"):
        with pytest.raises(Rejected):
            await connector.fetch(Ref(locator={"url": url, "complaint": "c", "log": "", "index": 0}))
    assert pay.calls == []


async def test_a_picture_that_is_too_large_is_refused(pay: PayServer, connect: Connect, started: Started) -> None:
    pay.pictures["huge"] = b"x" * 5000
    connector = await started.start(connect(max_attachment_bytes=1000))
    with pytest.raises(Rejected, match="larger"):
        await connector.fetch(Ref(locator={"url": f"{pay.url}/v3/merchant-service/images/huge"}))


async def test_an_answer_goes_out_as_the_merchants_message(pay: PayServer, connect: Connect, started: Started) -> None:
    complaint = pay.complain("重复扣费")
    connector = await started.start(connect())
    await connector.reply(address(complaint), "已受理，编号 ALE-7K3M-Q9TX-4RWD", "K1")
    log = "300285320261122000000001001"
    await connector.reply(address(log, thread=(complaint,)), "已受理", "K2")
    assert pay.responses == [
        {"complaint_id": complaint, "complainted_mchid": "1900000001", "response_content": text}
        for text in ("已受理，编号 ALE-7K3M-Q9TX-4RWD", "已受理")
    ]


async def test_answers_that_cannot_be_given(pay: PayServer, connect: Connect, started: Started) -> None:
    complaint = pay.complain("重复扣费")
    connector = await started.start(connect())
    with pytest.raises(Rejected, match="200 characters"):
        await connector.reply(address(complaint), "长" * 201, "K")
    with pytest.raises(Void):
        await connector.reply(address("200000020261122000000099999"), "已受理", "K")
    pay.complaints[complaint]["complaint_state"] = "PROCESSED"
    with pytest.raises(Void):
        await connector.reply(address(complaint), "已受理", "K")
    assert pay.responses == []


async def test_what_was_sent_counts_as_sent_though_the_answer_is_not_signed(
    pay: PayServer, connect: Connect, started: Started
) -> None:
    complaint = pay.complain("重复扣费")
    connector = await started.start(connect())
    pay.spoilers.append(lambda request: web.Response(status=204) if request.method == "POST" else None)
    await connector.reply(address(complaint), "已受理", "K")


async def test_a_lost_answer_to_a_reply_is_a_doubt(pay: PayServer, connect: Connect, started: Started) -> None:
    complaint = pay.complain("重复扣费")
    connector = await started.start(connect())
    await connector.check()
    pay.spoilers.append(lambda request: web.Response(status=500) if request.method == "POST" else None)
    with pytest.raises(InDoubt):
        await connector.reply(address(complaint), "已受理", "K")
