"""Pub/Sub pushes: a watch kept alive by polls, and requests that prove where they come from."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.gmail import GmailConnector
from tests.connectors.gmail.conftest import Connect
from tests.connectors.gmail.google import ACCOUNT, PUSH_TOKEN, TOPIC, Google, error, make_mail
from tests.connectors.gmail.test_gmail_contract import make_push, make_request


@pytest.fixture
def connector(google: Google, connect: Connect) -> GmailConnector:
    return connect(labels=["INBOX", "投诉"], topic=TOPIC, push_token=PUSH_TOKEN)


async def test_the_mailbox_is_watched_once_and_renewed_daily(
    google: Google, connector: GmailConnector, journal: MiniJournal, clock: FakeClock
) -> None:
    await hear(connector, journal)
    await hear(connector, journal)
    made = {"topicName": TOPIC, "labelIds": ["INBOX", "Label_12"], "labelFilterBehavior": "INCLUDE"}
    assert google.watches == [made]
    clock.advance(timedelta(hours=25))
    await hear(connector, journal)
    assert google.watches == [made, made]


async def test_a_refused_watch_stops_no_poll_and_is_not_asked_for_at_once(
    google: Google, connector: GmailConnector, journal: MiniJournal, log: RecordingLog, clock: FakeClock
) -> None:
    text = "User not authorized to perform this action."
    google.fail("POST .*/watch", error(403, "forbidden", text), error(403, "forbidden", text))
    key = google.put(make_mail("屏幕碎了"))
    await hear(connector, journal)
    await hear(connector, journal)
    assert [raw.key for raw in journal.raws] == [key]
    assert google.called("POST .*/watch") == 1
    assert text in str(log.entries)
    clock.advance(601)
    await hear(connector, journal)
    assert google.called("POST .*/watch") == 2


async def test_without_a_topic_nothing_is_watched(google: Google, connect: Connect, journal: MiniJournal) -> None:
    connector = connect()
    await hear(connector, journal)
    assert google.watches == []
    assert (await connector.receive(make_push({}))).refused


async def test_a_push_wakes_every_stream(connector: GmailConnector) -> None:
    reception = await connector.receive(make_push({"emailAddress": ACCOUNT.upper(), "historyId": 1234567890}))
    assert [wake.stream for wake in reception.wakes] == list(await connector.streams())
    assert reception.answer([]).status == 204


async def test_a_push_for_another_mailbox_of_the_topic_is_let_be(connector: GmailConnector) -> None:
    reception = await connector.receive(make_push({"emailAddress": "shop@example.com", "historyId": 1}))
    assert (list(reception.wakes), reception.refused, reception.answer([]).status) == ([], "", 204)


@pytest.mark.parametrize("token", ["", "guess", PUSH_TOKEN + " ", "推"])
async def test_what_proves_nothing_is_refused(connector: GmailConnector, token: str) -> None:
    reception = await connector.receive(make_push({"emailAddress": ACCOUNT}, token=token))
    assert reception.refused
    assert (list(reception.wakes), reception.answer([]).status) == ([], 403)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"message": {"data": "x"}}', b"[" * 100_000])
async def test_a_body_that_says_nothing_wakes_all_the_same(connector: GmailConnector, body: bytes) -> None:
    reception = await connector.receive(make_request(body))
    assert len(reception.wakes) == 2
