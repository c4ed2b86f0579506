"""Notifications: what is WeChat Pay's is a wake, all else is refused before anything in it is read."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from allears_sdk.connector import Accepted, Reception, Request
from allears_sdk.context import Context
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.wechat_pay import WechatPayConnector
from tests.connectors.conftest import Started
from tests.connectors.wechat_pay.conftest import Connect, make_settings
from tests.connectors.wechat_pay.pay_server import (
    NEXT_PLATFORM,
    PLATFORM,
    PUBLIC_KEY,
    PUBLIC_KEY_ID,
    PayServer,
    Signer,
    public_pem,
)

STREAM = "wechat_pay://1900000001"
URL = "https://hooks.example.com/in/wechat-pay"


def changed(request: Request, *, body: bytes | None = None, **headers: str | None) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kept = [(name, value) for name, value in request.headers if name not in named]
    return Request(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=(*kept, *((name, value) for name, value in named.items() if value is not None)),
        body=request.body if body is None else body,
        remote_address=request.remote_address,
        received_at=request.received_at,
    )


def answered(reception: Reception) -> tuple[int, bytes]:
    answer = reception.answer([Accepted(key=raw.key, is_new=True) for raw in reception.raws])
    return answer.status, answer.body


async def test_a_notification_wakes_and_the_poll_reads_that_complaint(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    connector = await started.start(connect())
    await hear(connector, journal)
    old = pay.complain("三个月前的单子，又来问了", at=pay.now() - timedelta(days=90))
    heard = await connector.receive(pay.push(pay.notice(old, "USER_RESPONSE", "COMPLAINT.STATE_CHANGE")))
    assert [(wake.stream, wake.hint) for wake in heard.wakes] == [(STREAM, {"complaint": old})]
    assert (heard.raws, answered(heard)) == ((), (204, b""))
    await hear(connector, journal)
    assert [raw.key for raw in journal.raws] == [old]


async def test_a_burst_of_notifications_is_read_whole_though_only_the_newest_hint_arrives(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    connector = await started.start(connect())
    await hear(connector, journal)
    told = [pay.complain(f"第 {number} 单", at=pay.now() - timedelta(days=60)) for number in range(20)]
    for complaint in told:
        await connector.receive(pay.push(pay.notice(complaint)))
    await hear(connector, journal, limit=3)
    assert sorted(raw.key for raw in journal.raws) == sorted(told)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda one: changed(one, body=one.body + b" "), id="body-tampered"),
        pytest.param(lambda one: changed(one, body=b""), id="no-body"),
        pytest.param(lambda one: changed(one, wechatpay_signature=None), id="no-signature"),
        pytest.param(lambda one: changed(one, wechatpay_signature=""), id="empty-signature"),
        pytest.param(lambda one: changed(one, wechatpay_signature="签名"), id="signature-not-ascii"),
        pytest.param(lambda one: changed(one, wechatpay_nonce="other"), id="other-nonce"),
        pytest.param(lambda one: changed(one, wechatpay_timestamp="1763784001"), id="other-time"),
        pytest.param(lambda one: changed(one, wechatpay_timestamp=None), id="no-time"),
        pytest.param(lambda one: changed(one, wechatpay_serial=None), id="no-serial"),
        pytest.param(lambda one: changed(one, wechatpay_serial=NEXT_PLATFORM.serial), id="other-serial"),
        pytest.param(
            lambda one: changed(one, wechatpay_signature="WECHATPAY/SIGNTEST/" + one.header("wechatpay-signature")),
            id="probe",
        ),
        pytest.param(
            lambda one: Request(
                method="GET",
                path="",
                query=(),
                headers=one.headers,
                body=b"",
                remote_address="",
                received_at=one.received_at,
            ),
            id="get",
        ),
    ],
)
async def test_what_is_not_signed_by_wechat_pay_is_refused(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal, spoil: object
) -> None:
    connector = await started.start(connect())
    await hear(connector, journal)
    good = pay.push(pay.notice(pay.complain("重复扣费")))
    assert callable(spoil)
    refused = await connector.receive(spoil(good))
    assert refused.refused
    assert not refused.wakes
    status, body = answered(refused)
    assert status in (401, 405)
    assert json.loads(body)["code"] == "FAIL"
    assert not (await connector.receive(good)).refused


async def test_two_different_signatures_count_as_none(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    connector = await started.start(connect())
    await hear(connector, journal)
    good = pay.push(pay.notice("200000020261122000000000001"))
    twice = Request(
        method="POST",
        path="",
        query=(),
        headers=(*good.headers, ("wechatpay-serial", "1")),
        body=good.body,
        remote_address="",
        received_at=good.received_at,
    )
    assert (await connector.receive(twice)).refused


async def test_a_good_signature_of_another_time_is_a_replay(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    connector = await started.start(connect())
    await hear(connector, journal)
    body = pay.notice(pay.complain("重复扣费"))
    for minutes in (-6, 6):
        refused = await connector.receive(pay.push(body, at=pay.now() + timedelta(minutes=minutes)))
        assert "away from now" in refused.refused
    assert not (await connector.receive(pay.push(body, at=pay.now() - timedelta(minutes=4)))).refused


async def test_signed_news_that_cannot_be_read_still_wakes(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal, log: RecordingLog
) -> None:
    connector = await started.start(connect())
    await hear(connector, journal)
    for body in (
        b'{"event_type":"COMPLAINT.CREATE","resource":{"nonce":"x","ciphertext":"AAAA"}}',
        b'{"event_type":"COMPLAINT.CREATE"}',
        b'{"event_type":"COMPLAINT.CREATE","resource":[1]}',
    ):
        heard = await connector.receive(pay.push(body))
        assert [wake.hint for wake in heard.wakes] == [{}]
        assert answered(heard)[0] == 204
    assert [entry[1] for entry in log.entries].count("wechat_pay.notice_unreadable") == 3


async def test_other_events_are_answered_and_wake_nobody(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    connector = await started.start(connect())
    await hear(connector, journal)
    for body in (b'{"event_type":"TRANSACTION.SUCCESS"}', b"[]", b"not json", b"[" * 100_000, "投诉".encode()):
        heard = await connector.receive(pay.push(body))
        assert (heard.wakes, heard.refused, answered(heard)) == ((), "", (204, b""))


async def test_certificates_are_fetched_by_polls_survive_a_restart_and_rotate(
    pay: PayServer, context: Context, started: Started, journal: MiniJournal, clock: FakeClock
) -> None:
    def make() -> WechatPayConnector:
        return WechatPayConnector(make_settings(pay), context)

    first = await started.start(make())
    notice = pay.push(pay.notice("200000020261122000000000001"))
    assert (await first.receive(notice)).refused  # nothing is fetched while WeChat Pay waits; it sends again
    assert pay.calls == []
    await hear(first, journal)
    assert not (await first.receive(notice)).refused
    calls = len(pay.calls)
    again = await started.start(make())
    assert not (await again.receive(notice)).refused
    assert len(pay.calls) == calls
    clock.advance(timedelta(hours=1))
    pay.certificates, pay.signer = [PLATFORM, NEXT_PLATFORM], NEXT_PLATFORM
    rotated = pay.push(pay.notice("200000020261122000000000001"))
    assert (await again.receive(rotated)).refused
    await hear(again, journal)
    assert not (await again.receive(rotated)).refused
    assert pay.calls.count("GET /v3/certificates") == 2


async def test_certificates_grow_old(pay: PayServer, connect: Connect, started: Started, journal: MiniJournal) -> None:
    connector = await started.start(connect())
    clock = connector.context.clock
    assert isinstance(clock, FakeClock)
    for hours, calls in ((0, 1), (11, 1), (2, 2)):
        clock.advance(timedelta(hours=hours))
        await hear(connector, journal)
        assert pay.calls.count("GET /v3/certificates") == calls


async def test_while_a_merchant_changes_to_the_public_key_both_are_known(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    """The platform then signs notifications at random with either, and answers with the one that was asked for."""
    connector = await started.start(connect(public_key_id=PUBLIC_KEY_ID, public_key=public_pem("public-key")))
    await hear(connector, journal)
    assert "GET /v3/certificates" not in pay.calls
    body = pay.notice("200000020261122000000000001")
    assert not (await connector.receive(pay.push(body, PUBLIC_KEY))).refused
    assert (await connector.receive(pay.push(body, PLATFORM))).refused
    await hear(connector, journal)
    assert not (await connector.receive(pay.push(body, PLATFORM))).refused
    assert not (await connector.receive(pay.push(body, PUBLIC_KEY))).refused


async def test_strange_serials_neither_stop_polls_nor_make_us_ask_without_end(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal
) -> None:
    pay.certificates = []
    connector = await started.start(connect(public_key_id=PUBLIC_KEY_ID, public_key=public_pem("public-key")))
    complaint = pay.complain("有公钥的新商户没有平台证书")
    for number in range(5):
        strange = Signer("stranger", f"ABCDEF012345678{number}")
        assert (await connector.receive(pay.push(b"{}", strange))).refused
        await hear(connector, journal)
    assert pay.calls.count("GET /v3/certificates") == 1
    assert [raw.key for raw in journal.raws] == [complaint]


@pytest.mark.parametrize(
    ("before", "called"),
    [("", "POST"), ("https://old.example.com/notify", "PUT"), (URL, "")],
    ids=["none", "another", "ours"],
)
async def test_the_address_is_registered(
    pay: PayServer, connect: Connect, started: Started, journal: MiniJournal, before: str, called: str
) -> None:
    pay.notification_url = before
    connector = await started.start(connect(notification_url=URL))
    await hear(connector, journal)
    await hear(connector, journal)
    changes = [call for call in pay.calls if "complaint-notifications" in call and not call.startswith("GET")]
    assert [call.partition(" ")[0] for call in changes] == ([called] if called else [])
    assert pay.notification_url == URL
    identity = await connector.check()
    assert identity.account == "1900000001"
    assert f"notifications go to {URL}" in identity.details
