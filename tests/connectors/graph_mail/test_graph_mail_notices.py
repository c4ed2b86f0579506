"""Change notifications: subscriptions kept alive by polls, and requests that prove where they come from."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.connector import Request
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.graph_mail import GraphMailConnector
from connectors.graph_mail.notices import RENEW
from tests.connectors.graph_mail.conftest import Connect
from tests.connectors.graph_mail.graph import MAILBOX, NOTIFY_SECRET, NOTIFY_URL, Graph, error
from tests.connectors.graph_mail.test_graph_mail_contract import make_request

SUBSCRIPTION = "7f105c7d-2dc5-4530-97cd-000000000000"


@pytest.fixture
def connector(connect: Connect) -> GraphMailConnector:
    return connect(folders=["inbox", "inbox/投诉"], notification_url=NOTIFY_URL, notification_secret=NOTIFY_SECRET)


def notices(*items: dict[str, Any]) -> Request:
    return make_request(json.dumps({"value": items}).encode())


def change(**more: Any) -> dict[str, Any]:
    plain = {
        "subscriptionId": SUBSCRIPTION,
        "clientState": NOTIFY_SECRET,
        "changeType": "created",
        "resource": "Users/e0e4@84bd/Messages/AAMkAGI2",
        "tenantId": "84bd8158-6d4d-4958-8b9f-9d6445542f95",
    }
    return plain | more


async def test_each_folder_is_subscribed_to_once_and_renewed(
    graph: Graph, connector: GraphMailConnector, journal: MiniJournal, clock: FakeClock
) -> None:
    await hear(connector, journal)
    await hear(connector, journal)
    assert graph.called("POST .*/subscriptions") == 2
    made = graph.subscriptions[SUBSCRIPTION]
    assert made["resource"] == f"/users/{MAILBOX}/mailFolders('AQMkInbox')/messages"
    assert made["notificationUrl"] == made["lifecycleNotificationUrl"] == NOTIFY_URL
    assert (made["clientState"], made["expirationDateTime"]) == (NOTIFY_SECRET, "2026-11-24T04:00:00Z")
    clock.advance(timedelta(hours=30))
    await hear(connector, journal)
    assert graph.called("PATCH .*/subscriptions") == 2
    assert graph.called("POST .*/subscriptions") == 2
    assert graph.subscriptions[SUBSCRIPTION]["expirationDateTime"] == "2026-11-25T10:00:00Z"


async def test_a_subscription_that_is_gone_is_made_again(
    graph: Graph, connector: GraphMailConnector, journal: MiniJournal
) -> None:
    await hear(connector, journal)
    graph.subscriptions.clear()
    stream = (await connector.streams())[0]
    async for _ in connector.poll(stream, journal.cursors[stream], {RENEW: True}, 10):
        pass
    [made] = graph.subscriptions.values()
    assert "AQMkInbox" in made["resource"]


async def test_a_refused_subscription_stops_no_poll_and_is_not_asked_for_at_once(
    graph: Graph, connector: GraphMailConnector, journal: MiniJournal, log: RecordingLog, clock: FakeClock
) -> None:
    graph.fail("POST .*/subscriptions", *[error(400, "ValidationError", "Validation request timed out.")] * 2)
    key = graph.put(b"Subject: x\r\n\r\ny")
    await hear(connector, journal)
    await hear(connector, journal)
    assert [raw.key for raw in journal.raws] == [key]
    assert graph.called("POST .*/subscriptions") == 2
    assert "Validation request timed out." in str(log.entries)
    clock.advance(601)
    await hear(connector, journal)
    assert len(graph.subscriptions) == 2


async def test_without_an_address_nothing_is_subscribed_to(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    connector = connect()
    await hear(connector, journal)
    assert not graph.called("subscriptions")
    assert (await connector.receive(notices(change()))).refused


async def test_the_proof_is_given_as_plain_text(connector: GraphMailConnector) -> None:
    token = "Validation: Testing client application <script>alert(1)</script>"
    reception = await connector.receive(make_request(b"", (("validationToken", token),)))
    answer = reception.answer([])
    assert (answer.status, answer.body.decode(), answer.media_type) == (200, token, "text/plain")
    assert not reception.wakes


async def test_a_change_wakes_every_stream(connector: GraphMailConnector) -> None:
    reception = await connector.receive(notices(change(), change(clientState="other")))
    assert [wake.stream for wake in reception.wakes] == list(await connector.streams())
    assert reception.answer([]).status == 202
    assert all(not wake.hint for wake in reception.wakes)


@pytest.mark.parametrize("event", ["missed", "subscriptionRemoved", "reauthorizationRequired"])
async def test_a_lifecycle_event_renews(connector: GraphMailConnector, event: str) -> None:
    reception = await connector.receive(notices(change(lifecycleEvent=event, resource=None)))
    assert all(wake.hint == {RENEW: True} for wake in reception.wakes)
    assert reception.wakes


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"value": 5}',
        b'{"value": [null, 7, {"clientState": null}]}',
        json.dumps({"value": [change(clientState="")]}).encode(),
        json.dumps({"value": [change(clientState="guess")]}).encode(),
        b"[" * 100_000,
    ],
)
async def test_what_proves_nothing_is_refused(connector: GraphMailConnector, body: bytes) -> None:
    reception = await connector.receive(make_request(body))
    assert reception.refused
    assert not reception.wakes
    assert reception.answer([]).status == 403
