"""What Freshdesk's automation rules tell: the secret, our JSON, the rule editor's own."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.connector import Request
from allears_sdk.sink import Hearing, TicketChange, TicketStatus
from allears_sdk.testing import FakeClock, make_context
from bench.servers.freshdesk import API_KEY
from sink.freshdesk import FreshdeskSettings, FreshdeskSink

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
SECRET = "fd-back-8c1e0f7a"
TOLD: dict[str, Any] = {"ticket_id": "301", "status": "Open", "handler": "韩梅梅"}


def sink(folder: Path, **more: Any) -> FreshdeskSink:
    given = {"url": "https://shop.freshdesk.com", "api_key": API_KEY, "key_field": "cf_key", **more}
    return FreshdeskSink(FreshdeskSettings.model_validate(given), make_context("desk", folder, clock=FakeClock(NOW)))


def request(told: object, headers: dict[str, str] | None = None) -> Request:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    given = {"X-Allears-Secret": SECRET} if headers is None else headers
    return Request(
        method="POST", path="", query=(), headers=tuple(given.items()), body=body, remote_address="", received_at=NOW
    )


@pytest.mark.parametrize(
    ("store_status", "status"),
    [
        ("Open", TicketStatus.OPEN),
        ("Pending", TicketStatus.PENDING),
        ("Waiting on Customer", TicketStatus.PENDING),
        ("Resolved", TicketStatus.SOLVED),
        ("Closed", TicketStatus.CLOSED),
        ("待质检", TicketStatus.PENDING),
        ("打开", None),
    ],
)
def test_a_status(tmp_path: Path, store_status: str, status: TicketStatus | None) -> None:
    heard = sink(tmp_path, webhook_secret=SECRET, statuses={"待质检": "pending"}).hear(
        request({**TOLD, "status": store_status})
    )
    change = TicketChange(ticket="301", at=NOW, status=status, store_status=store_status, handler="韩梅梅")
    assert heard == Hearing(changes=(change,))


@pytest.mark.parametrize(
    ("more", "answered"), [({"answered": True}, True), ({"answered": "true"}, False), ({"event": "note"}, False)]
)
def test_a_reply(tmp_path: Path, more: dict[str, Any], answered: bool) -> None:
    (change,) = sink(tmp_path, webhook_secret=SECRET).hear(request({"ticket_id": 301, **more})).changes
    assert (change.ticket, change.answered, change.status, change.handler) == ("301", answered, None, None)


def test_the_rule_editors_own_content(tmp_path: Path) -> None:
    told = {
        "freshdesk_webhook": {
            "ticket_id": 301,
            "ticket_status": "Resolved",
            "ticket_agent_name": "",
            "triggered_event": "{reply_sent:sent}",
        }
    }
    (change,) = sink(tmp_path, webhook_secret=SECRET).hear(request(told)).changes
    assert change == TicketChange(
        ticket="301", at=NOW, status=TicketStatus.SOLVED, store_status="Resolved", handler="", answered=True
    )


def basic(pair: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def test_the_secret_may_be_a_password(tmp_path: Path) -> None:
    assert sink(tmp_path, webhook_secret=SECRET).hear(request(TOLD, basic(f"allears:{SECRET}"))).changes


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Allears-Secret": ""},
        {"X-Allears-Secret": SECRET[:-1]},
        {"X-Allears-Secret": "密码"},
        {"Authorization": f"Bearer {SECRET}"},
        {"Authorization": "Basic %%%"},
        basic(SECRET),
        basic("allears:"),
    ],
)
def test_who_does_not_know_the_secret_is_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    heard = sink(tmp_path, webhook_secret=SECRET).hear(request(TOLD, headers))
    assert heard.refused
    assert heard.changes == ()
    assert SECRET not in heard.refused


def test_nothing_is_heard_without_a_secret(tmp_path: Path) -> None:
    for headers in ({}, {"X-Allears-Secret": ""}):
        assert "webhook_secret" in sink(tmp_path).hear(request(TOLD, headers)).refused


@pytest.mark.parametrize(
    "told",
    [
        *(b"", b"{", b"\xff", [], None, "x", {}, {"ticket_id": "{{ticket.id}}"}, {"ticket_id": None}),
        *({"freshdesk_webhook": []}, {"freshdesk_webhook": {"ticket_status": "Open"}}),
    ],
)
def test_what_makes_no_sense_changes_nothing(tmp_path: Path, told: object) -> None:
    heard = sink(tmp_path, webhook_secret=SECRET).hear(request(told))
    assert heard.refused
    assert heard.changes == ()
