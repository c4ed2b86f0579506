"""The Events API: what is believed, what is answered, and what is stored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from slack_sdk.signature import SignatureVerifier

from allears_sdk.connector import Reception, Request
from allears_sdk.errors import BadMessage
from allears_sdk.signing import OutsideWindow
from allears_sdk.testing import RecordingLog
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.slack import SlackConnector
from tests.connectors.slack.conftest import Connect
from tests.connectors.slack.slack_payloads import (
    IM,
    LI_LEI,
    PRIVATE,
    SIGNING_SECRET,
    SUPPORT,
    callback,
    changed,
    deleted,
    event,
    signed,
    stamp,
)
from tests.connectors.slack.slack_server import SlackServer

AT = 1_750_000_000
NOW = datetime.fromtimestamp(AT, UTC)
B1 = '{"type":"event_callback","event_id":"Ev0TEST0001","event":{"type":"message","text":"退款"}}'.encode()
V1 = "v0=db465df184238e1e3d0d4b77712d75b941bd62be29eee4aec8f1dee016e7b213"
VECTOR = (("X-Slack-Request-Timestamp", str(AT)), ("X-Slack-Signature", V1))
POST = {"type": "message", "user": LI_LEI, "text": "屏幕碎了", "ts": stamp(5)}


def request(
    body: bytes, headers: Sequence[tuple[str, str]] | None = None, *, method: str = "POST", at: datetime = NOW
) -> Request:
    return Request(
        method=method,
        path="",
        query=(),
        headers=signed(body, AT) if headers is None else headers,
        body=body,
        remote_address="192.0.2.7",
        received_at=at,
    )


@pytest.fixture
async def connector(connect: Connect) -> SlackConnector:
    return await connect(signing_secret=SIGNING_SECRET)


async def told(connector: SlackConnector, payload: dict[str, Any]) -> Reception:
    return await connector.receive(request(json.dumps(payload, ensure_ascii=False).encode()))


async def test_the_published_vector_is_accepted_by_us_and_by_slack(connector: SlackConnector) -> None:
    reception = await connector.receive(request(B1, VECTOR))
    assert not reception.refused
    verifier = SignatureVerifier(SIGNING_SECRET, clock=_Frozen())  # type: ignore[arg-type] # only `now` is asked
    assert verifier.is_valid(B1, str(AT), V1)
    (raw,) = reception.raws  # from Slack, yet without a place: a letter, not a loss
    assert raw.body == B1
    with pytest.raises(BadMessage):
        connector.parse(raw, connector.settings)


class _Frozen:
    def now(self) -> int:
        return AT


@pytest.mark.parametrize(
    "headers",
    [
        (),
        VECTOR[:1],
        VECTOR[1:],
        (VECTOR[0], ("X-Slack-Signature", V1.replace("v0=d", "v0=e"))),
        (VECTOR[0], ("X-Slack-Signature", V1.upper())),
        (VECTOR[0], ("X-Slack-Signature", V1.removeprefix("v0="))),
        (VECTOR[0], ("X-Slack-Signature", "v1" + V1[2:])),
        (VECTOR[0], ("X-Slack-Signature", "v0=退款")),
        (VECTOR[0], ("X-Slack-Signature", "")),
        (VECTOR[0], VECTOR[1], ("x-slack-signature", "v0=00")),
        (("X-Slack-Request-Timestamp", str(AT + 1)), VECTOR[1]),
        (("X-Slack-Request-Timestamp", f" {AT}"), VECTOR[1]),
        (("X-Slack-Request-Timestamp", "１７５０００００００"), VECTOR[1]),
        (("X-Slack-Request-Timestamp", "-1"), VECTOR[1]),
        (("X-Slack-Request-Timestamp", "9" * 400), VECTOR[1]),
    ],
)
async def test_what_is_not_signed_by_slack_is_refused(
    connector: SlackConnector, headers: Sequence[tuple[str, str]]
) -> None:
    reception = await connector.receive(request(B1, headers))
    assert reception.refused
    assert not reception.raws
    assert reception.answer(()).status == 401
    assert SIGNING_SECRET not in reception.refused


@pytest.mark.parametrize("body", [B1 + b" ", B1.replace("退款".encode(), b"refund"), b"", B1.decode().encode("gbk")])
async def test_a_body_that_was_changed_is_refused(connector: SlackConnector, body: bytes) -> None:
    assert (await connector.receive(request(body, VECTOR))).refused


@pytest.mark.parametrize("seconds", [-300, 0, 299, 300])
async def test_a_request_of_these_minutes(connector: SlackConnector, seconds: int) -> None:
    at = datetime.fromtimestamp(AT + seconds, UTC)
    assert not (await connector.receive(request(B1, VECTOR, at=at))).refused


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
async def test_a_request_of_another_time_is_a_replay(connector: SlackConnector, seconds: int) -> None:
    """The core refuses it, and notices where all requests are."""
    at = datetime.fromtimestamp(AT + seconds, UTC)
    with pytest.raises(OutsideWindow):
        await connector.receive(request(B1, VECTOR, at=at))
    forged = (VECTOR[0], ("X-Slack-Signature", "v0=00"))
    assert (await connector.receive(request(B1, forged, at=at))).refused


async def test_other_methods_and_a_channel_without_secret(connector: SlackConnector, connect: Connect) -> None:
    assert (await connector.receive(request(b"", method="GET"))).answer(()).status == 405
    deaf = await connect()
    reception = await deaf.receive(request(B1, VECTOR))
    assert "signing_secret" in reception.refused


async def test_slack_makes_sure_of_the_address(connector: SlackConnector) -> None:
    reception = await told(connector, {"token": "x", "challenge": "3eZbrw1aB10", "type": "url_verification"})
    assert (reception.refused, tuple(reception.raws)) == ("", ())
    assert reception.answer(()).body == b'{"challenge":"3eZbrw1aB10"}'
    forged = request(b'{"type":"url_verification","challenge":"x"}', VECTOR)
    assert (await connector.receive(forged)).refused


async def test_a_delivery_that_is_repeated_is_known_by_its_message(connector: SlackConnector) -> None:
    body = json.dumps(event(SUPPORT, POST)).encode()
    repeat = [("X-Slack-Retry-Num", "1"), ("X-Slack-Retry-Reason", "http_timeout")]
    (first,) = (await connector.receive(request(body))).raws
    (again,) = (await connector.receive(request(body, [*signed(body, AT), *repeat]))).raws
    other_team = event(SUPPORT, POST, event_id="Ev2", team_id="T09PARTNER", context_team_id="T09PARTNER")
    (shared,) = (await told(connector, other_team)).raws
    assert {(one.key, one.digest) for one in (first, again, shared)} == {(f"{SUPPORT}:{stamp(5)}", "said")}
    assert first.body == body


async def test_edits_and_deletions_are_revisions_of_the_message(connector: SlackConnector) -> None:
    edited = {**POST, "text": "屏幕碎了,退款", "edited": {"user": LI_LEI, "ts": stamp(9)}}
    previewed = {**POST, "attachments": [{"title": "Order 77", "text": "preview"}]}
    raws = [
        raw
        for payload in (
            event(SUPPORT, POST),
            changed(SUPPORT, previewed, POST),
            changed(SUPPORT, edited, POST),
            deleted(SUPPORT, edited, stamp(12)),
            changed(SUPPORT, {**POST, "subtype": "tombstone"}, edited),
        )
        for raw in (await told(connector, payload)).raws
    ]
    assert {raw.key for raw in raws} == {f"{SUPPORT}:{stamp(5)}"}
    assert [raw.digest for raw in raws] == ["said", "said", f"edited {stamp(9)}", "withdrawn", "withdrawn"]


@pytest.mark.parametrize(
    "payload",
    [
        event(SUPPORT, {**POST, "subtype": "channel_join"}),
        event(SUPPORT, {**POST, "subtype": "channel_topic", "topic": "投诉"}),
        callback({"type": "reaction_added", "item": {"channel": SUPPORT, "ts": stamp(5)}}),
        callback({"type": "app_mention", "channel": SUPPORT, "ts": stamp(5), "text": "<@U00BOT> 退款"}),
        callback({"type": "something_new"}),
        {"type": "event_callback", "event": None},
        {"type": "tokens_revoked"},
        {},
    ],
)
async def test_where_nobody_says_anything_nothing_is_stored(connector: SlackConnector, payload: dict[str, Any]) -> None:
    reception = await told(connector, payload)
    assert (reception.refused, tuple(reception.raws), reception.answer(()).status) == ("", (), 200)


@pytest.mark.parametrize(
    "event_",
    [
        {"type": "message", "subtype": "message_changed", "channel": SUPPORT, "message": None},
        {"type": "message", "subtype": "message_deleted", "channel": SUPPORT},
        {"type": "message", "ts": 1750000000.0002, "channel": SUPPORT},
        {"type": "message", "ts": "soon", "channel": SUPPORT},
        {"type": "message", "ts": stamp(5)},
    ],
)
async def test_a_message_without_a_place_becomes_a_letter(connector: SlackConnector, event_: dict[str, Any]) -> None:
    (raw,) = (await told(connector, callback(event_))).raws
    with pytest.raises(BadMessage):
        connector.parse(raw, connector.settings)


async def test_a_signed_body_that_is_no_json_becomes_a_letter(connector: SlackConnector) -> None:
    for body in (b"{", b"[1]", b"\xff\xfe", b'{"envelope_id": "e", "payload": "none"}'):
        (raw,) = (await connector.receive(request(body))).raws
        assert raw.body == body
        with pytest.raises(BadMessage):
            connector.parse(raw, connector.settings)


async def test_only_conversations_that_are_wanted(connect: Connect) -> None:
    picky = await connect(signing_secret=SIGNING_SECRET, channels=[SUPPORT], direct_messages=False)
    heard = [len((await told(picky, event(one, POST, kind))).raws) for one, kind in _PLACES]
    assert heard == [1, 0, 0, 0]
    open_ = await connect(signing_secret=SIGNING_SECRET, channels=[SUPPORT])
    assert [len((await told(open_, event(one, POST, kind))).raws) for one, kind in _PLACES] == [1, 0, 1, 1]


_PLACES = ((SUPPORT, "channel"), (PRIVATE, "group"), (IM, "im"), ("C07GROUPDM", "mpim"))


async def test_events_that_slack_leaves_out_are_looked_up(
    connector: SlackConnector, slack: SlackServer, log: RecordingLog, journal: MiniJournal
) -> None:
    await connector.streams()
    left_out = {"type": "app_rate_limited", "team_id": "T01", "minute_rate_limited": AT, "api_app_id": "A01"}
    reception = await told(connector, left_out)
    assert {wake.stream for wake in reception.wakes} == set(await connector.streams())
    assert [entry[1] for entry in log.entries] == ["events_left_out"]


async def test_what_was_pushed_and_is_polled_is_one(
    connector: SlackConnector, slack: SlackServer, journal: MiniJournal
) -> None:
    ts = slack.say("订单 77 坏了, please refund")
    slack.say("在楼里回复", thread_ts=ts)
    slack.edit(ts, "订单 77 坏了, refund now")
    slack.posts[SUPPORT][ts]["team"] = "T09PARTNER"  # what a Slack Connect partner's history may say
    (edited,) = (await told(connector, changed(SUPPORT, slack.posts[SUPPORT][ts], POST))).raws
    await hear(connector, journal)
    assert (edited.key, edited.digest) in {(raw.key, raw.digest) for raw in journal.raws}
    assert len(journal.raws) == 2
