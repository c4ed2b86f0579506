"""Bodies of answers as JSON, also those that were cut in the middle of a letter."""

from __future__ import annotations

import pytest

from allears_sdk.codec import encode
from allears_sdk.errors import InDoubt, Unavailable
from allears_sdk.remote.exchange import Call, Response


def answer(content: bytes, *, repeatable: bool = True) -> Response:
    call = Call(
        method="GET",
        url="https://shop.example.com/reviews",
        headers={},
        body={},
        timeout_seconds=1,
        repeatable=repeatable,
        max_bytes=1000,
        allow_private=False,
    )
    return Response(status=200, headers={}, content=content, call=call)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (rb'["\ud83d\ude21 refund"]', "😡 refund"),
        (rb'["refund \ud83d"]', "refund ?"),
        (rb'["\uDE21 refund \uD83D\uDE21"]', "? refund 😡"),
        (rb'["C:\\ud83d"]', "C:\\ud83d"),
        ('["😡 退款"]'.encode(), "😡 退款"),
    ],
)
def test_half_an_emoji_can_be_written_down(content: bytes, text: str) -> None:
    value = answer(content).json()
    assert value == [text]
    assert encode(value)


@pytest.mark.parametrize(("repeatable", "error"), [(True, Unavailable), (False, InDoubt)])
def test_what_is_no_json_is_a_lost_answer(repeatable: bool, error: type[Exception]) -> None:
    for content in (b"", b"<html>", b"\xff", b"[" * 200_000):
        with pytest.raises(error):
            answer(content, repeatable=repeatable).json()
