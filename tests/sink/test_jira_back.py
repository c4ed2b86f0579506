"""What Jira's webhooks tell, as a simulated Jira sends them, and as others forge them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from allears_sdk.connector import Request
from allears_sdk.signing import hmac_hex
from allears_sdk.sink import TicketChange, TicketStatus
from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.context import make_context
from bench.servers.jira import Jira
from bench.servers.jira_site import EMAIL, TOKEN
from sink.jira import JiraSettings, JiraSink

SECRET = "wh-7f3a9c51e2b04d68"
AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DONE = {"id": "3", "name": "Done", "statusCategory": {"key": "done"}}


@pytest.fixture
def sink(tmp_path: Path) -> JiraSink:
    return sink_of(tmp_path)


def sink_of(folder: Path, **more: Any) -> JiraSink:
    given = {"url": "https://example.atlassian.net", "token": TOKEN, "project": "CMP", "email": EMAIL}
    settings = JiraSettings.model_validate({**given, "webhook_secret": SECRET, **more})
    return JiraSink(settings, make_context("jira", folder, clock=FakeClock()))


def request_of(body: bytes, *, signature: str = "", **headers: str) -> Request:
    sent = {"X-Hub-Signature": signature or f"sha256={hmac_hex(SECRET, body)}", **headers}
    return Request(
        method="POST",
        path="",
        query=(),
        headers=tuple(sent.items()),
        body=body,
        remote_address="127.0.0.1",
        received_at=AT,
    )


def told(event: str = "jira:issue_updated", **more: Any) -> bytes:
    fields = {"status": DONE, "assignee": {"displayName": "韩梅梅"}}
    issue = {"id": "10017", "key": "CMP-5", "fields": fields}
    stamp = int((AT - timedelta(seconds=3)).timestamp() * 1000)
    return json.dumps({"timestamp": stamp, "webhookEvent": event, "issue": issue, **more}, ensure_ascii=False).encode()


def comment(**more: Any) -> dict[str, Any]:
    author = {"accountId": "557058:agent", "accountType": "atlassian", "displayName": "韩梅梅"}
    return {"id": "1", "body": "您好，已为您办理退款。", "author": author, "jsdPublic": True, **more}


async def test_what_a_jira_sends_is_understood(sink: JiraSink) -> None:
    got: list[Request] = []

    async def take(request: web.Request) -> web.Response:
        body, headers = await request.read(), tuple(request.headers.items())
        got.append(
            Request(method="POST", path="", query=(), headers=headers, body=body, remote_address="", received_at=AT)
        )
        return web.Response()

    app = web.Application()
    app.router.add_post("/back/jira", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    desk = Jira(lambda: AT.timestamp())
    issue = desk.site.make("CMP", summary="x", status=DONE, assignee={"displayName": "李雷"})
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/back/jira"
    assert await desk.push(url, issue, secret=SECRET, status=("To Do", "Done")) == 200
    await runner.cleanup()
    (change,) = sink.hear(got[0]).changes
    assert change == TicketChange(
        ticket=issue.id, at=AT, status=TicketStatus.SOLVED, store_status="Done", handler="李雷"
    )


@pytest.mark.parametrize(
    ("fields", "status", "handler"),
    [
        ({"status": {"name": "待办", "statusCategory": {"key": "new"}}, "assignee": None}, TicketStatus.OPEN, ""),
        ({"status": {"name": "处理中", "statusCategory": {"key": "indeterminate"}}}, TicketStatus.OPEN, None),
        ({"status": {"name": "等待客户", "statusCategory": {"key": "indeterminate"}}}, TicketStatus.PENDING, None),
        ({"status": {"name": "Cancelled", "statusCategory": {"key": "done"}}}, TicketStatus.CLOSED, None),
        ({"status": {"name": "Waiting for customer", "statusCategory": {"key": "new"}}}, TicketStatus.PENDING, None),
        ({"status": {"name": "?", "statusCategory": {"key": "new kind"}}}, None, None),
        ({}, None, None),
    ],
)
def test_statuses_and_assignees(
    tmp_path: Path, fields: dict[str, Any], status: TicketStatus | None, handler: str | None
) -> None:
    sink = sink_of(tmp_path, statuses={"等待客户": "pending", "Cancelled": "closed"})
    body = told(issue={"id": 10017, "key": "CMP-5", "fields": fields})
    (change,) = sink.hear(request_of(body)).changes
    assert (change.ticket, change.status, change.handler) == ("10017", status, handler)
    assert change.at == AT - timedelta(seconds=3)


def test_a_deleted_issue_is_closed(sink: JiraSink) -> None:
    (change,) = sink.hear(request_of(told("jira:issue_deleted"))).changes
    assert (change.status, change.store_status) == (TicketStatus.CLOSED, "deleted")


@pytest.mark.parametrize(
    ("more", "is_answer"),
    [
        ({}, True),
        ({"body": "参考您的编号 ALE-7K3M-Q9TX-4RWD，已退款"}, True),
        ({"jsdPublic": False}, False),
        ({"author": {"accountType": "customer"}}, False),
        ({"body": "new words\n\n[ALE-7K3M-Q9TX-4RWD-AB12CD-9F1C03AA52]"}, False),
    ],
)
def test_an_agents_public_answer(tmp_path: Path, more: dict[str, Any], is_answer: bool) -> None:
    body = told("comment_created", comment=comment(**more))
    desk = sink_of(tmp_path, service_desk="4", request_type="25")
    assert [change.answered for change in desk.hear(request_of(body)).changes] == [True] * is_answer
    assert not sink_of(tmp_path).hear(request_of(body)).changes


def test_events_that_mean_nothing_here_are_taken(sink: JiraSink) -> None:
    for event in ("sprint_started", "comment_deleted", "worklog_updated"):
        hearing = sink.hear(request_of(told(event)))
        assert (hearing.refused, list(hearing.changes)) == ("", [])


@pytest.mark.parametrize(
    "signature",
    [
        "sha256=" + "0" * 64,
        "sha1=2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
        hmac_hex(SECRET, told()),
        "sha256=签名",
        "-",
    ],
)
def test_forged_signatures(sink: JiraSink, signature: str) -> None:
    hearing = sink.hear(request_of(told(), signature=signature))
    assert "X-Hub-Signature" in hearing.refused
    assert not hearing.changes


def test_two_signatures_are_none(sink: JiraSink) -> None:
    body = told()
    good = request_of(body)
    both = Request(
        method="POST",
        path="",
        query=(),
        headers=(*good.headers, ("x-hub-signature", "sha256=0")),
        body=body,
        remote_address="",
        received_at=AT,
    )
    assert sink.hear(both).refused


def test_without_a_secret_nobody_is_heard(tmp_path: Path) -> None:
    assert "webhook_secret" in sink_of(tmp_path, webhook_secret=None).hear(request_of(told())).refused


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b'{"webhookEvent": "jira:issue_updated"}',
        b'{"webhookEvent": "jira:issue_updated", "issue": {"id": "1", "fields": []}}',
        b'{"webhookEvent": "jira:issue_updated", "issue": {"id": "1", "fields": {"status": "Done"}}}',
        b'{"webhookEvent": "jira:issue_updated", "timestamp": 1e400, "issue": {"id": "1"}}',
        b'{"webhookEvent": "jira:issue_updated", "timestamp": 99999999999999999999, "issue": {"id": "1"}}',
        b'{"webhookEvent": {"a": 1}, "issue": 7}',
        b"[" * 100_000,
    ],
)
def test_malformed_bodies_raise_nothing(sink: JiraSink, body: bytes) -> None:
    hearing = sink.hear(request_of(body))
    assert SECRET not in repr(hearing)
