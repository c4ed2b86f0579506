"""Reading accounts: bursts, tokens and limits, cursors that age, several accounts, and what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.connector import Batch, Cursor, Wake
from allears_sdk.errors import AuthError, ConfigError, Rejected, RetryLater, Unavailable
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.wechat_kf import WechatKfConnector
from tests.connectors._wechat.platform import fault
from tests.connectors._wechat.pushing import make_request, make_xml, push_plain, push_work
from tests.connectors._wechat.vectors import (
    AT,
    CORP_ID,
    ECHO,
    ECHO_SEALED,
    ECHO_SIGNATURE,
    KF_SEALED,
    KF_SIGNATURE,
    NONCE,
    TIMESTAMP,
)
from tests.connectors.conftest import Started
from tests.connectors.wechat_kf.conftest import STREAM, Connect
from tests.connectors.wechat_kf.kf_platform import KF, OTHER_KF, KfPlatform

SYNC = "/cgi-bin/kf/sync_msg"


def texts(journal: MiniJournal) -> list[str]:
    return [json.loads(raw.body).get("text", {}).get("content", "") for raw in journal.raws]


async def poll(
    connector: WechatKfConnector, journal: MiniJournal, hint: Mapping[str, Any], *, stream: str = STREAM
) -> list[Batch]:
    """One poll, as a wake brings it about."""
    batches = []
    cursor: Cursor | None = journal.cursors.get(stream)
    async with aclosing(connector.poll(stream, cursor, hint, 100)) as polled:  # type: ignore[type-var] # every poll is an async generator
        async for batch in polled:
            journal.accept(stream, batch)
            batches.append(batch)
    return batches


def asked(platform: KfPlatform) -> list[dict[str, Any]]:
    return [body for path, _, body in platform.calls if path == SYNC]


async def test_a_burst_behind_one_callback_is_read_whole(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    connector = await started.start(connect())
    said = [f"第 {number} 句，没人理我" for number in range(2500)]
    for text in said:
        platform.say(text)
    batches = await poll(connector, journal, {"token": platform.signal()})
    assert texts(journal) == said
    assert max(len(batch.raws) for batch in batches) == 100
    assert [batch.more for batch in batches] == [True] * (len(batches) - 1) + [False]
    assert len(asked(platform)) == 3
    assert {body["token"] for body in asked(platform)} == set(platform.tokens)
    assert platform.free_calls == []


async def test_only_what_is_new_is_asked_for(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    connector = await started.start(connect())
    platform.say("设备坏了")
    await poll(connector, journal, {"token": platform.signal()})
    platform.say("没人修")
    batches = await poll(connector, journal, {"token": platform.signal()})
    assert [len(batch.raws) for batch in batches] == [1]
    assert texts(journal) == ["设备坏了", "没人修"]


async def test_a_silent_account_writes_nothing_and_notes_its_cursor_every_hour(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = await started.start(connect())
    platform.say("好的")
    await poll(connector, journal, {})
    for minutes, written in ((1, 0), (30, 0), (31, 1), (1, 0)):
        clock.advance(timedelta(minutes=minutes))
        assert len(await poll(connector, journal, {})) == written


async def test_a_token_that_has_grown_old_is_left_out(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = await started.start(connect())
    token = platform.signal()
    clock.advance(timedelta(minutes=11))
    platform.say("设备坏了没人修")
    await poll(connector, journal, {"token": token})
    assert texts(journal) == ["设备坏了没人修"]
    assert ["token" in body for body in asked(platform)] == [True, False]


async def test_without_callbacks_the_polls_never_reach_the_limit(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal, clock: FakeClock
) -> None:
    platform.per_page = 10
    platform.accounts |= {OTHER_KF: "投诉专线"}
    said = [platform.say(f"第 {number} 句", account=account) for number in range(150) for account in (KF, OTHER_KF)]
    connector = await started.start(connect(token="", encoding_aes_key=None))
    await hear(connector, journal)
    assert sorted(raw.key for raw in journal.raws) == sorted(said)
    assert len(asked(platform)) == 30
    assert sum(clock.slept) > 60, "calls without a token wait for each other"


async def test_a_limit_that_was_reached_elsewhere_is_waited_for(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    connector = await started.start(connect())
    platform.say("x")
    platform.fail(SYNC, fault(45009, "api freq out of limit"))
    with pytest.raises(RetryLater) as caught:
        await poll(connector, journal, {})
    assert caught.value.after_seconds == 60
    platform.fail(SYNC, fault(-1, "system busy"))
    with pytest.raises(Unavailable):
        await poll(connector, journal, {})
    await poll(connector, journal, {})
    assert texts(journal) == ["x"]


async def test_a_cursor_that_is_refused_starts_anew_and_doubles_nothing(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal, clock: FakeClock, log: RecordingLog
) -> None:
    connector = await started.start(connect())
    platform.say("一")
    await poll(connector, journal, {})
    clock.advance(timedelta(hours=1))
    platform.say("二")
    platform.oldest_cursor = 99
    await poll(connector, journal, {"token": platform.signal()})
    assert texts(journal) == ["一", "二"]
    assert journal.gaps == []
    assert "wechat_kf.cursor_refused" in [entry[1] for entry in log.entries]


async def test_what_grew_older_than_three_days_meanwhile_is_a_gap(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = await started.start(connect())
    platform.say("停机前")
    await poll(connector, journal, {})
    stopped = clock.now()
    clock.advance(timedelta(days=1))
    platform.say("没有人读到")
    clock.advance(timedelta(days=4))
    platform.say("开机前一小时")
    platform.oldest_cursor = 99
    await poll(connector, journal, {})
    assert texts(journal) == ["停机前", "开机前一小时"]
    assert [(gap.since, gap.until) for gap in journal.gaps] == [(stopped, clock.now() - timedelta(days=3))]
    await poll(connector, journal, {})
    assert len(journal.gaps) == 1


async def test_what_was_said_before_the_first_run_is_known_not_filed(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal, clock: FakeClock
) -> None:
    platform.say("前天")
    clock.advance(timedelta(days=2))
    platform.say("刚才")
    connector = await started.start(connect(look_back=timedelta(hours=1)))
    await poll(connector, journal, {})
    assert [raw.baseline for raw in journal.raws] == [True, False]


async def test_sync_msg_that_does_not_get_on_ends(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    stuck = {"errcode": 0, "errmsg": "ok", "next_cursor": "C", "has_more": 1, "msg_list": []}
    platform.fail(SYNC, *[stuck] * 3)
    connector = await started.start(connect())
    with pytest.raises(Unavailable, match="does not get on"):
        await poll(connector, journal, {"token": platform.signal()})


async def test_a_token_of_access_that_expires_is_renewed(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    connector = await started.start(connect())
    platform.say("一")
    await poll(connector, journal, {})
    platform.revoke()
    platform.say("二")
    await poll(connector, journal, {})
    assert texts(journal) == ["一", "二"]
    assert platform.tokens_given == 2


@pytest.mark.parametrize(
    ("code", "expected", "said"),
    [
        (40001, AuthError, "secret"),
        (48002, ConfigError, "permission"),
        (60020, ConfigError, "trusted IPs"),
        (95000, ConfigError, "open_kfid"),
        (95011, ConfigError, "企业微信"),
        (95012, ConfigError, "switched on"),
        (95017, ConfigError, "switched off"),
        (40201, ConfigError, "banned"),
        (-1, Unavailable, "busy"),
    ],
)
async def test_faults_by_the_reaction_they_ask_for(
    platform: KfPlatform, connect: Connect, started: Started, code: int, expected: type[Exception], said: str
) -> None:
    connector = await started.start(connect())
    platform.fail("/cgi-bin/kf/account/list", *[fault(code)] * 3)
    with pytest.raises(expected, match=said):
        await connector.check()


async def test_all_accounts_are_read_or_those_that_are_named(
    platform: KfPlatform, connect: Connect, started: Started
) -> None:
    platform.accounts |= {OTHER_KF: "投诉专线"}
    other = f"wechat_kf://{CORP_ID}/{OTHER_KF}"
    assert list(await (await started.start(connect())).streams()) == [STREAM, other]
    named = await started.start(connect(open_kfids=[OTHER_KF]))
    assert list(await named.streams()) == [other]
    assert (await named.check()).details == (f"投诉专线 ({OTHER_KF})", "callback /in/support")
    with pytest.raises(ConfigError, match="wkNobody"):
        await (await started.start(connect(open_kfids=["wkNobody"]))).check()
    platform.accounts = {}
    with pytest.raises(ConfigError, match="no customer service account"):
        await (await started.start(connect())).streams()


async def test_more_accounts_than_a_page_lists(platform: KfPlatform, connect: Connect, started: Started) -> None:
    platform.accounts = {f"wk{number:04d}": f"门店 {number}" for number in range(230)}
    assert len(await (await started.start(connect())).streams()) == 230


async def test_a_cursor_belongs_to_its_account(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    platform.accounts |= {OTHER_KF: "投诉专线"}
    connector = await started.start(connect())
    for number in range(3):
        platform.say(f"售后 {number}")
        platform.say(f"投诉 {number}", account=OTHER_KF)
        await hear(connector, journal)
    assert sorted(texts(journal)) == sorted([f"{line} {n}" for line in ("售后", "投诉") for n in range(3)])
    assert all(not body["cursor"] or body["cursor"][:6] == body["open_kfid"][-6:] for body in asked(platform))


# Callbacks


def signal(**more: str) -> str:
    fields = {"ToUserName": CORP_ID, "CreateTime": 1795320000, "MsgType": "event", "Event": "kf_msg_or_event"}
    return make_xml(**fields, **more)


async def test_the_fact_sheets_vectors_are_taken(connect: Connect, started: Started) -> None:
    connector = await started.start(connect())
    body = f"<xml><ToUserName>{CORP_ID}</ToUserName><Encrypt><![CDATA[{KF_SEALED}]]></Encrypt></xml>".encode()
    signed = {"msg_signature": KF_SIGNATURE, "timestamp": TIMESTAMP, "nonce": NONCE}
    heard = await connector.receive(make_request(body=body, at=AT, query=signed))
    assert heard.wakes == (Wake(stream=f"wechat_kf://{CORP_ID}/wk0001", hint={"token": "ENC123"}),)
    assert (heard.raws, heard.answer(()).status, heard.answer(()).body) == ((), 200, b"")
    echo = {"msg_signature": ECHO_SIGNATURE, "timestamp": TIMESTAMP, "nonce": NONCE, "echostr": ECHO_SEALED}
    told = await connector.receive(make_request("GET", at=AT, query=echo))
    assert told.answer(()).body == ECHO.encode()
    for change in ({"msg_signature": KF_SIGNATURE[:-1] + "2"}, {"nonce": "1"}, {"timestamp": "1767225601"}):
        assert (await connector.receive(make_request(body=body, at=AT, query={**signed, **change}))).refused


async def test_a_callback_asks_nothing_while_the_platform_waits(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    connector = await started.start(connect())
    platform.say("在吗")
    heard = await connector.receive(push_work(signal(Token=platform.signal(), OpenKfId=KF)))
    assert platform.calls == []
    (wake,) = heard.wakes
    await poll(connector, journal, wake.hint, stream=wake.stream)
    assert texts(journal) == ["在吗"]


@pytest.mark.parametrize(
    "message",
    [
        make_xml(MsgType="event", Event="kf_account_auth_change", AuthAddOpenKfId="wk1"),
        make_xml(MsgType="text", Content="你好"),
        signal(Token="ENC1"),
        signal(Token="ENC1", OpenKfId="wkSomebodyElses"),
        "不是 XML",
    ],
)
async def test_other_callbacks_are_answered_and_wake_nobody(connect: Connect, started: Started, message: str) -> None:
    connector = await started.start(connect(open_kfids=[KF]))
    heard = await connector.receive(push_work(message))
    assert (heard.wakes, heard.refused, heard.answer(()).status) == ((), "", 200)


async def test_what_is_not_encrypted_is_refused(connect: Connect, started: Started) -> None:
    connector = await started.start(connect())
    refused = await connector.receive(push_plain(signal(Token="ENC1", OpenKfId=KF)))
    assert (bool(refused.refused), refused.wakes, refused.answer(()).status) == (True, (), 401)


async def test_a_channel_without_a_token_takes_no_callbacks(connect: Connect, started: Started) -> None:
    connector = await started.start(connect(token="", encoding_aes_key=None))
    refused = await connector.receive(push_work(signal(Token="ENC1", OpenKfId=KF)))
    assert (bool(refused.refused), refused.answer(()).status) == (True, 403)
    assert "no callback: heard by polls alone" in (await connector.check()).details


@pytest.mark.parametrize(
    "given", [{"token": ""}, {"encoding_aes_key": None}, {"token": "x"}, {"encoding_aes_key": "short"}]
)
def test_settings_that_cannot_work(connect: Connect, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"token|EncodingAESKey"):
        connect(**given)


async def test_a_page_that_is_refused_without_a_cursor_is_told(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    connector = await started.start(connect())
    platform.fail(SYNC, fault(40058, "invalid parameter"))
    with pytest.raises(Rejected):
        await poll(connector, journal, {})


async def test_who_enters_is_greeted_once_and_in_time(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = await started.start(connect(welcome="您好！请说明订单号。"))
    platform.happen("enter_session", scene="web", welcome_code="OLD")
    clock.advance(25)
    platform.happen("enter_session", scene="web", welcome_code="NEW")
    platform.happen("enter_session", scene="web")
    await poll(connector, journal, {"token": platform.signal()})
    journal.cursors.clear()
    await poll(connector, journal, {"token": platform.signal()})

    assert platform.sent == [{"code": "NEW", "msgtype": "text", "text": {"content": "您好！请说明订单号。"}}]


async def test_a_greeting_that_fails_holds_up_nothing(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal, log: RecordingLog
) -> None:
    connector = await started.start(connect(welcome="Hello!"))
    platform.happen("enter_session", scene="web", welcome_code="USED")
    platform.sent.append({"code": "USED"})
    platform.say("空气炸锅不加热")
    await poll(connector, journal, {"token": platform.signal()})

    assert texts(journal) == ["", "空气炸锅不加热"]


async def test_nobody_is_greeted_unasked(
    platform: KfPlatform, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    platform.happen("enter_session", scene="web", welcome_code="NEW")
    await poll(await started.start(connect()), journal, {"token": platform.signal()})

    assert platform.sent == []
