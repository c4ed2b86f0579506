"""What connectors read out of answers and pushes in one line: numbers, ids, tokens, codes, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from allears_sdk.access_token import Grant, grant_of
from allears_sdk.connector import Media, Reception
from allears_sdk.errors import AuthError, InDoubt, Unavailable
from allears_sdk.noting import MOST, Noting
from allears_sdk.numbers import id_of, whole
from allears_sdk.oauth.browser import code_in
from allears_sdk.remote import Response
from allears_sdk.remote.exchange import Call
from allears_sdk.renewal import asked_with
from allears_sdk.testing import make_context
from allears_sdk.testing.context import RecordingLog


def answered(content: bytes, *, is_repeatable: bool = True, content_type: str = "") -> Response:
    call = Call(
        method="POST",
        url="https://api.example.com/x",
        headers={},
        body={},
        timeout_seconds=1,
        repeatable=is_repeatable,
        max_bytes=1000,
        allow_private=False,
    )
    return Response(status=200, headers={"content-type": content_type}, content=content, call=call)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7),
        ("7", 7),
        (" 12 ", 12),
        (0, 0),
        ("-1", -9),
        (1.5, -9),
        (True, -9),
        (None, -9),
        ("٧", -9),
        ("9" * 5000, -9),
    ],
)
def test_whole_numbers(value: object, number: int) -> None:
    assert whole(value, -9) == number


@pytest.mark.parametrize(
    ("value", "name"), [(7, "7"), (" a7 ", "a7"), (True, ""), (None, ""), ([], ""), (1.0, ""), ("x" * 64, "")]
)
def test_ids(value: object, name: str) -> None:
    assert id_of(value) == name


@pytest.mark.parametrize(
    ("lasts", "seconds"),
    [(60, 60), ("60", 60), (60.5, 60.5), (None, 3600), ("soon", 3600), (-1, 3600), (float("nan"), 3600), (1e12, 3600)],
)
def test_how_long_a_token_lasts(lasts: object, seconds: float) -> None:
    assert grant_of({"access_token": "t", "expires_in": lasts}, AuthError()) == Grant(token="t", seconds=seconds)


@pytest.mark.parametrize("token", [None, "", 7, ["t"]])
def test_an_answer_without_a_token(token: object) -> None:
    with pytest.raises(AuthError, match="log in"):
        grant_of({"access_token": token}, AuthError("log in"))


@pytest.mark.parametrize(("is_repeatable", "error"), [(True, Unavailable), (False, InDoubt)])
@pytest.mark.parametrize("body", [b"[]", b'"x"', b"null", b"<html>"])
def test_an_answer_that_is_no_object_may_have_been_a_deed(
    is_repeatable: bool, error: type[Exception], body: bytes
) -> None:
    with pytest.raises(error):
        answered(body, is_repeatable=is_repeatable).json_object()
    assert answered(b'{"a": "\\ud83d\\ude21"}').json_object() == {"a": "😡"}


def test_a_file_is_what_the_server_says() -> None:
    png = answered(b"x", content_type="Image/PNG; charset=binary")
    assert Media.of(png, name="a.png") == Media(content=b"x", media_type="image/png", name="a.png")
    assert Media.of(answered(b"x"), usual="image/jpeg").media_type == "image/jpeg"


@pytest.mark.parametrize(
    ("pasted", "code"),
    [
        (" https://x.example.com/back?state=1&code=c0ffee#x ", "c0ffee"),
        ("c0ffee\n", "c0ffee"),
        ("https://x.example.com/back", ""),
        ("http://[::1", ""),
        ("", ""),
    ],
)
def test_the_code_in_what_was_pasted(pasted: str, code: str) -> None:
    assert code_in(pasted) == code


def test_who_is_refused_is_told_how_to_come() -> None:
    refused = Reception.refuse("method GET", 405)
    assert (refused.refused, refused.answer([]).status, refused.answer([]).headers) == (
        "method GET",
        405,
        {"Allow": "POST"},
    )
    assert (Reception.refuse("no").answer([]).status, Reception.refuse("no").answer([]).headers) == (401, {})


async def test_a_refused_token_is_replaced_once() -> None:
    asked: list[str] = []

    async def token(*, stale: str = "") -> str:
        return f"after {stale}" if stale else "first"

    async def send(given: str) -> str:
        asked.append(given)
        return "refused"

    assert await asked_with(token, send, lambda answer: answer == "refused") == "refused"
    assert asked == ["first", "after first"]
    assert await asked_with(token, send, lambda answer: False) == "refused"
    assert len(asked) == 3


def test_what_is_strange_is_said_once_and_not_without_end(tmp_path: Path) -> None:
    log = RecordingLog()
    noting = Noting(make_context("shop", tmp_path, log=log))
    for number in range(3 * MOST):
        for _ in range(2):
            noting.note("push_noted", type=f"{number:03}" + "x" * 200)
    assert len(log.entries) == MOST
    assert log.entries[0] == ("info", "push_noted", {"type": "000" + "x" * 77})
