"""Recorded items in, exact messages out."""

from __future__ import annotations

from pathlib import Path

import pytest

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Kind, Message, Raw, Role
from allears_sdk.testing.clock import START
from connectors.webhook import WebhookConnector

FIXTURES = Path(__file__).parent / "fixtures"
MALFORMED = {
    "malformed": (FIXTURES / "malformed.json").read_bytes(),
    "nothing": b"",
    "not-json": b"<html>502 Bad Gateway</html>",
    "gbk": '{"id": "1", "text": "退款"}'.encode("gbk"),
    "a-list": b"[1, 2]",
    "deep": b"[" * 5000,
}


def parsed(body: bytes, ordinal: int = 1) -> list[Message]:
    raw = Raw(key="k", ordinal=ordinal, body=body, media_type="application/json", received_at=START)
    return list(WebhookConnector.parse(raw, None))


@pytest.mark.parametrize("name", ["usual_zh", "usual_en", "unusual", "staff"])
def test_what_an_item_says(name: str) -> None:
    """The expected messages state what differs from the defaults."""
    expected = decode((FIXTURES / f"{name}.messages.json").read_bytes(), list[Message])
    assert parsed((FIXTURES / f"{name}.json").read_bytes()) == expected


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_cannot_be_read_is_a_bad_message(body: bytes) -> None:
    with pytest.raises(BadMessage):
        parsed(body)


def test_a_later_revision_is_an_edit_and_a_deletion_a_withdrawal() -> None:
    body = (FIXTURES / "usual_zh.json").read_bytes()
    (edited,) = parsed(body, ordinal=2)
    (gone,) = parsed(body.replace(b'"is_deleted": false', b'"is_deleted": true'))
    assert (edited.kind, gone.kind) == (Kind.EDITED, Kind.WITHDRAWN)
    assert edited.external_id == gone.external_id


def test_our_own_people_are_not_customers() -> None:
    (message,) = parsed((FIXTURES / "staff.json").read_bytes())
    assert message.author.role is Role.COMPANY
