"""What every connector promises, with requests signed as the platform signs them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from allears_sdk.codec import encode
from allears_sdk.connector import Accepted, Request
from allears_sdk.context import Context
from allears_sdk.signing import BadSignature, OutsideWindow, hmac_hex
from allears_sdk.testing.clock import START
from allears_sdk.testing.connectors import ConnectorContract
from connectors.newborn import NewbornConnector, NewbornSettings

SECRET = "secret-7f3a9c"
REFERENCE = "ALE-7K3M-Q9TX-4RWD"


@dataclass
class Delivery:
    """One request of the platform, its signature made from what it says now."""

    body: bytes
    timestamp: str = str(int(START.timestamp()))
    secret: str = SECRET
    method: str = "POST"

    def request(self, **headers: str) -> Request:
        signature = hmac_hex(self.secret, self.timestamp.encode() + b"." + self.body)
        signed = {
            "X-Newborn-Timestamp": self.timestamp,
            "X-Newborn-Signature": signature,
        }
        return Request(
            method=self.method,
            path="",
            query=(),
            headers=list({**signed, **headers}.items()),
            body=self.body,
            remote_address="192.0.2.7",
            received_at=START,
        )


def item(text: str, **fields: object) -> bytes:
    # %% if chat
    fields = {"chat": "c-1", **fields}
    # %% endif
    return encode({"id": "m-1", "text": text, **fields})


class TestNewborn(ConnectorContract):
    def make_connector(self, context: Context) -> NewbornConnector:
        settings = NewbornSettings.model_validate({"secret": SECRET})
        return NewbornConnector(settings, context)

    async def request(self, text: str) -> Request:
        return Delivery(item(text)).request()

    async def test_what_came_is_stored_untouched_and_answered_with_the_reference(self, context: Context) -> None:
        request = await self.request("屏幕碎了，要求退款")
        reception = await self.make_connector(context).receive(request)
        (raw,) = reception.raws
        assert (raw.body, raw.key, bool(raw.thread)) == (request.body, "m-1", True)
        first, again = (
            reception.answer([Accepted(key="m-1", is_new=is_new, reference=REFERENCE)]) for is_new in (True, False)
        )
        assert REFERENCE in first.body.decode()
        assert first == again, "a redelivery gets the very same bytes"

    async def test_an_edit_is_a_revision_and_a_counter_is_none(self, context: Context) -> None:
        connector = self.make_connector(context)
        bodies = (item("1 星"), item("1 星", views=7), item("5 星"))
        raws = [(await connector.receive(Delivery(body).request())).raws[0] for body in bodies]
        assert len({raw.key for raw in raws}) == 1
        assert raws[0].digest == raws[1].digest != raws[2].digest

    async def test_signed_nonsense_is_kept_for_a_person(self, context: Context) -> None:
        reception = await self.make_connector(context).receive(Delivery(b"{").request())
        assert [raw.body for raw in reception.raws] == [b"{"]

    @pytest.mark.parametrize(
        "request_",
        [
            Delivery(item("x"), secret="another").request(),
            Delivery(item("x"), timestamp="").request(),
            Delivery(item("x"), timestamp="１７５０").request(),
            Delivery(item("x"), timestamp="9" * 400).request(),
            Delivery(item("x"), timestamp=str(int((START - timedelta(minutes=6)).timestamp()))).request(),
            Delivery(item("x")).request(**{"X-Newborn-Signature": ""}),
            Delivery(item("x")).request(**{"X-Newborn-Signature": "签名"}),
        ],
        ids=["secret", "no-time", "odd-time", "long-time", "replay", "unsigned", "not-ascii"],
    )
    async def test_what_is_not_the_platforms_is_refused(self, context: Context, request_: Request) -> None:
        with pytest.raises((BadSignature, OutsideWindow)):
            await self.make_connector(context).receive(request_)

    async def test_only_posts_are_taken(self, context: Context) -> None:
        reception = await self.make_connector(context).receive(Delivery(item("x"), method="GET").request())
        assert (reception.answer(()).status, bool(reception.refused), list(reception.raws)) == (405, True, [])
