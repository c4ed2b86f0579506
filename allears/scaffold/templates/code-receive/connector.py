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
from allears_sdk.signing import BadSignature, check_window, hmac_hex, same
from connectors.newborn.parse import parse_item
from connectors.newborn.raws import raw_of
from connectors.newborn.settings import NewbornSettings

TIMESTAMP = "X-Newborn-Timestamp"
SIGNATURE = "X-Newborn-Signature"
NOT_ALLOWED = Answer(status=405, headers={"Allow": "POST"})


class NewbornConnector(Connector[NewbornSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="newborn",
        title_en="{{ title_en }}",
        title_zh="{{ title_zh }}",
        hears=frozenset({Hears.RECEIVE}),
        threading=Threading.ITEM,
        answer_within_seconds=5.0,
        signed=True,
        verified="requests of our own, signed as documented",
        verified_zh="自制的请求，按文档签名",
    )
    Settings = NewbornSettings

    async def check(self) -> Identity:
        return Identity(account=f"/in/{self.context.name}", details=("requests must be signed",))

    async def receive(self, request: Request) -> Reception:
        if request.method != "POST":
            return Reception(refused="not a POST", answer=lambda accepted: NOT_ALLOWED)
        self._verify(request)
        return Reception(raws=(raw_of(request),), answer=_answer)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse_item(raw)

    async def fetch(self, ref: Ref) -> Media:
        answer = await self.context.remote.fetch_public(ref.locator["url"], self.settings.max_attachment_bytes)
        return Media(content=answer.content, media_type=answer.header("content-type"))

    def _verify(self, request: Request) -> None:
        """Over the bytes as they came, before they are parsed. Raises BadSignature and OutsideWindow: the core answers
        401, counts, and alarms when a clock is wrong."""
        timestamp, secret = request.header(TIMESTAMP), self.settings.secret.get_secret_value()
        expected = hmac_hex(secret, timestamp.encode() + b"." + request.body)
        if not same(request.header(SIGNATURE), expected):
            raise BadSignature
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 11):
            raise BadSignature("bad timestamp")
        check_window(datetime.fromtimestamp(int(timestamp), UTC), request.received_at)


def _answer(accepted: Sequence[Accepted]) -> Answer:
    """Made after the commit; a redelivery gets the very same bytes."""
    return Answer(body=encode({"reference": accepted[0].reference}), media_type="application/json")
