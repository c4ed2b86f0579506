"""What Zendesk's webhooks tell: signatures over time and body, events, triggers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.connector import Request
from allears_sdk.sink import Hearing, TicketChange, TicketStatus
from allears_sdk.testing import FakeClock, make_context
from bench.servers.zendesk import EMAIL, TOKEN, WEBHOOK_SECRET, Ticket, Zendesk, signed_headers
from sink.zendesk import ZendeskSettings, ZendeskSink

AT = "2026-11-22T04:00:00Z"
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.fixture
def desk() -> Zendesk:
    desk = Zendesk(NOW.timestamp)
    names = ("external_id", "subject", "priority", "group_id", "assignee_id")
    fields: dict[str, Any] = {**dict.fromkeys(names), "status": "open", "tags": [], "requester_id": 20001}
    desk.tickets[501] = Ticket(501, fields, desk.now(), desk.now())
    return desk


@pytest.fixture
def sink(tmp_path: Path) -> ZendeskSink:
    return sink_of(tmp_path, webhook_secret=WEBHOOK_SECRET)


def sink_of(folder: Path, **more: Any) -> ZendeskSink:
    given = {"url": "https://shop.zendesk.com", "email": EMAIL, "token": TOKEN, **more}
    return ZendeskSink(ZendeskSettings.model_validate(given), make_context("desk", folder, clock=FakeClock(NOW)))


def request(body: bytes, headers: dict[str, str] | None = None) -> Request:
    given = signed_headers(body, AT) if headers is None else headers
    return Request(
        method="POST", path="", query=(), headers=tuple(given.items()), body=body, remote_address="", received_at=NOW
    )


@pytest.mark.parametrize(
    ("store_status", "status"),
    [
        ("new", TicketStatus.OPEN),
        ("open", TicketStatus.OPEN),
        ("pending", TicketStatus.PENDING),
        ("hold", TicketStatus.PENDING),
        ("solved", TicketStatus.SOLVED),
        ("closed", TicketStatus.CLOSED),
        ("deleted", None),
    ],
)
def test_a_status(sink: ZendeskSink, desk: Zendesk, store_status: str, status: TicketStatus | None) -> None:
    desk.update(501, status=store_status)
    heard = sink.hear(request(desk.event(501, current=store_status.upper(), previous="NEW")))
    change = TicketChange(ticket="501", at=NOW, status=status, store_status=store_status, handler="")
    assert heard == Hearing(changes=(change,))


@pytest.mark.parametrize(("assignee", "handler"), [(None, ""), (9001, "韩梅梅"), (9002, "9002")])
def test_the_handler_has_the_name_that_the_mapping_gives_him(
    tmp_path: Path, desk: Zendesk, assignee: int | None, handler: str
) -> None:
    mapping = {"fields": {"handler": "assignee_id"}, "values": {"handler": {"韩梅梅": 9001, "*": 9002}}}
    sink = sink_of(tmp_path, webhook_secret=WEBHOOK_SECRET, **mapping)
    desk.update(501, assignee_id=assignee)
    (change,) = sink.hear(request(desk.event(501, "agent_assignment_changed"))).changes
    assert change.handler == handler


@pytest.mark.parametrize(
    ("comment", "answered"),
    [
        ({"author": {"id": "9001", "is_staff": True}, "body": "马上为您退款", "is_public": True}, True),
        ({"author": {"id": "9001", "is_staff": True}, "body": "内部", "is_public": False}, False),
        ({"author": {"id": "20001", "is_staff": False}, "body": "催", "is_public": True}, False),
        ({"author": None, "body": None, "is_public": True}, False),
        (
            {"author": {"is_staff": True}, "body": "催\n\n[ALE-KA5K-ZPAX-13DW-AB12CD-9F1C03AA52]", "is_public": True},
            False,
        ),
    ],
)
def test_an_agents_public_word_answers_the_customer_and_ours_does_not(
    sink: ZendeskSink, desk: Zendesk, comment: dict[str, Any], answered: bool
) -> None:
    (change,) = sink.hear(request(desk.event(501, "comment_added", comment=comment))).changes
    assert change.answered is answered


def test_a_trigger_tells_names(tmp_path: Path) -> None:
    sink = sink_of(tmp_path, webhook_secret=WEBHOOK_SECRET, statuses={"已解决": "solved"})
    told = {"ticket_id": "501", "status": "Pending", "handler": "韩梅梅"}
    (change,) = sink.hear(request(json.dumps(told).encode())).changes
    expected = TicketChange(ticket="501", at=NOW, status=TicketStatus.PENDING, store_status="Pending", handler="韩梅梅")
    assert change == expected
    (change,) = sink.hear(request(json.dumps({**told, "status": "等待"}).encode())).changes
    assert (change.status, change.store_status) == (None, "等待")
    (change,) = sink.hear(request(json.dumps({**told, "status": "已解决"}).encode())).changes
    assert change.status is TicketStatus.SOLVED


def test_events_of_other_things_are_nothing_to_us(sink: ZendeskSink) -> None:
    body = json.dumps({"type": "zen:event-type:user.created", "detail": {"id": "1"}, "time": AT}).encode()
    assert sink.hear(request(body)) == Hearing()


def test_nothing_is_heard_without_a_secret(tmp_path: Path, desk: Zendesk) -> None:
    heard = sink_of(tmp_path).hear(request(desk.event(501)))
    assert "webhook_secret" in heard.refused
    assert heard.changes == ()


def test_signatures(sink: ZendeskSink, desk: Zendesk) -> None:
    body = desk.event(501)
    good = signed_headers(body, AT)
    late = (NOW + timedelta(minutes=6)).isoformat()
    bad: list[dict[str, str]] = [
        {},
        signed_headers(body, AT, "another secret"),
        signed_headers(body + b" ", AT),
        {**good, "X-Zendesk-Webhook-Signature-Timestamp": "2026-11-22T04:00:01Z"},
        {**good, "X-Zendesk-Webhook-Signature": ""},
        {**good, "X-Zendesk-Webhook-Signature": "签名"},
        signed_headers(body, "2026-11-22T03:54:59Z"),
        signed_headers(body, late),
        signed_headers(body, "2026-11-22T04:00:00"),
        signed_headers(body, "soon"),
        signed_headers(body, ""),
    ]
    assert not sink.hear(request(body, good)).refused
    for headers in bad:
        heard = sink.hear(request(body, headers))
        assert heard.refused, headers
        assert heard.changes == ()
        assert WEBHOOK_SECRET not in heard.refused


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
        b'"type"',
        b'{"type": "zen:event-type:ticket.status_changed"}',
        b'{"type": "zen:event-type:ticket.comment_added", "time": "2026-11-22T04:00:00Z", "detail": {"id": "1"}}',
        b'{"type": "zen:event-type:ticket.status_changed", "time": "now", "detail": {"id": "1"}}',
        b'{"status": "open"}',
        b'{"type": 7, "detail": []}',
    ],
)
def test_what_is_signed_and_makes_no_sense_changes_nothing(sink: ZendeskSink, body: bytes) -> None:
    assert sink.hear(request(body)).changes == ()
