"""What every connector promises, by mail over the Gmail API."""

from __future__ import annotations

import base64
import json

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.testing.clock import START
from allears_sdk.testing.connectors import ConnectorContract
from connectors.gmail import GmailConnector
from tests.connectors.gmail.conftest import make_settings
from tests.connectors.gmail.google import ACCOUNT, PUSH_TOKEN, TOPIC, Google, make_mail

LIMIT = 20_000


class MailContract(ConnectorContract):
    after = "seen"

    @pytest.fixture(autouse=True)
    def source(self, google: Google) -> None:
        self.google = google
        google.most_per_page = 3

    def make_connector(self, context: Context) -> GmailConnector:
        settings = make_settings(after=self.after, max_mail_bytes=LIMIT, topic=TOPIC, push_token=PUSH_TOKEN)
        return GmailConnector(settings, context)

    async def put(self, text: str) -> None:
        self.google.put(make_mail(text))

    async def put_bytes(self, text: bytes) -> None:
        self.google.put(make_mail(text))

    async def put_malformed(self) -> None:
        self.google.put(b"\xff\xfe: no header at all\r\n\xb2\xbb\xca\xc7")

    async def put_oversize(self) -> None:
        self.google.put(make_mail("长" * LIMIT))

    async def request(self, text: str) -> Request:
        return make_push({"emailAddress": ACCOUNT, "historyId": "9876543210"})


def make_push(data: object, *, token: str = PUSH_TOKEN) -> Request:
    """As Pub/Sub's push subscriptions wrap it."""
    message = {
        "data": base64.urlsafe_b64encode(json.dumps(data).encode()).decode(),
        "messageId": "2070443601311540",
        "publishTime": "2026-11-22T03:59:59.371Z",
    }
    body = {"message": message, "subscription": "projects/allears-mail/subscriptions/kefu-push"}
    return make_request(json.dumps(body).encode(), token=token)


def make_request(body: bytes, *, token: str = PUSH_TOKEN) -> Request:
    return Request(
        method="POST",
        path="",
        query=(("token", token),) if token else (),
        headers=(("content-type", "application/json"),),
        body=body,
        remote_address="66.102.8.10",
        received_at=START,
    )


class TestSeen(MailContract):
    pass


class TestArchive(MailContract):
    after = "archive"


class TestTrash(MailContract):
    after = "trash"


class TestNothing(MailContract):
    after = "nothing"
