"""Signed requests: verified over their raw bytes, stored, then answered with the reference."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from allears_sdk.codec import encode
from allears_sdk.connector import (
    Accepted,
    Answer,
    Connector,
    ConnectorSpec,
    Hears,
    Identity,
    Media,
    Reception,
    Request,
    Threading,
)
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.signing import OutsideWindow, check_window, hmac_hex, same
from connectors.webhook.parse import parse_item
from connectors.webhook.raws import raw_of
from connectors.webhook.settings import WebhookSettings

TIMESTAMP = "X-Webhook-Timestamp"
SIGNATURE = "X-Webhook-Signature"


class WebhookConnector(Connector[WebhookSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="webhook",
        title_en="Generic webhook",
        title_zh="通用 webhook",
        hears=frozenset({Hears.RECEIVE}),
        threading=Threading.ITEM,
        answer_within_seconds=5.0,
        signed=True,
        verified="requests of our own, signed as documented",
    )
    Settings = WebhookSettings

    async def check(self) -> Identity:
        return Identity(account=f"/in/{self.context.name}", details=("requests must be signed",))

    async def receive(self, request: Request) -> Reception:
        if request.method != "POST":
            return _refuse("not a POST", Answer(status=405, headers={"Allow": "POST"}))
        if fault := self._fault(request):
            return _refuse(fault, Answer(status=401))
        return Reception(raws=(raw_of(request),), answer=_answer)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse_item(raw)

    async def fetch(self, ref: Ref) -> Media:
        answer = await self.context.remote.fetch_public(ref.locator["url"], self.settings.max_attachment_bytes)
        return Media(content=answer.content, media_type=answer.header("content-type"))

    def _fault(self, request: Request) -> str:
        """Why the request is not the platform's, "" when it is. Looks at the bytes as they came."""
        timestamp, secret = request.header(TIMESTAMP), self.settings.secret.get_secret_value()
        expected = hmac_hex(secret, timestamp.encode() + b"." + request.body)
        if not same(request.header(SIGNATURE), expected):
            return "bad signature"
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 11):
            return "bad timestamp"
        try:
            check_window(datetime.fromtimestamp(int(timestamp), UTC), request.received_at)
        except OutsideWindow:
            return "outside the replay window"
        return ""


def _answer(accepted: Sequence[Accepted]) -> Answer:
    """Made after the commit; a redelivery gets the very same bytes."""
    return Answer(body=encode({"reference": accepted[0].reference}), media_type="application/json")


def _refuse(why: str, answer: Answer) -> Reception:
    return Reception(refused=why, answer=lambda accepted: answer)
