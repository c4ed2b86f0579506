"""Our own JSON: lenient where people write by hand, exact about what is wrong."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from allears_sdk.errors import BadMessage
from allears_sdk.message import MESSAGE_JSON, Kind, Message, Rating, Raw, Role
from normalizer.readers import attachment_content, read
from normalizer.readers.message_json import read_message_object

NOW = datetime(2024, 5, 1, 2, 0, tzinfo=UTC)


def raw_of(value: Any, timezone: str = "") -> Raw:
    body = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    return Raw(key="k", body=body, media_type=MESSAGE_JSON, received_at=NOW, context={"timezone": timezone})


def one(value: Any, timezone: str = "") -> Message:
    (message,) = read(raw_of(value, timezone))
    return message


def test_only_text_is_required() -> None:
    assert one({"text": "手机坏了"}) == Message(text="手机坏了")


def test_everything_at_once() -> None:
    message = one(
        {
            "connector": "csv",
            "channel": "desk",
            "text": "坏了",
            "external_id": 42,
            "thread": ["a", "b"],
            "known_as": "c",
            "kind": "edited",
            "author": {"name": "张三", "email": "ZS@x.example", "role": "customer"},
            "posted_at": "2024-05-01T10:00:00+08:00",
            "rating": {"value": 2, "best": 10, "worst": 0},
            "attachments": [{"name": "a.txt", "media_type": "text/plain", "content": "aGk="}],
            "visibility": "public",
            "is_automatic": False,
            "original": {"text": "inner", "author": "b@x.example"},
            "language": None,
        }
    )
    assert (message.external_id, message.thread, message.known_as) == ("42", ("a", "b"), ("c",))
    assert message.kind is Kind.EDITED
    assert (message.author.id, message.author.email) == ("zs@x.example", "zs@x.example")
    assert message.posted_at == datetime(2024, 5, 1, 2, 0, tzinfo=UTC)
    assert message.rating == Rating(value=2, best=10, worst=0)
    assert (message.attachments[0].size, message.attachments[0].content) == (2, None)
    assert message.original is not None and message.original.author.email == "b@x.example"


@pytest.mark.parametrize(
    ("author", "name", "email"),
    [("张三", "张三", ""), ("Zhang <ZS@x.example>", "Zhang", "zs@x.example"), ("zs@x.example", "", "zs@x.example")],
)
def test_an_author_as_a_string(author: str, name: str, email: str) -> None:
    found = one({"text": "x", "author": author}).author
    assert (found.name, found.email, found.id, found.role) == (name, email, email, Role.CUSTOMER)


def test_a_rating_as_a_number() -> None:
    assert one({"text": "x", "rating": 1}).rating == Rating(value=1)


def test_an_array_is_several_messages() -> None:
    assert [message.text for message in read(raw_of([{"text": "a"}, {"text": "b"}]))] == ["a", "b"]


def test_a_naive_time_needs_a_zone() -> None:
    value = {"text": "x", "posted_at": "2024-05-01T10:00:00"}
    assert one(value, "Asia/Shanghai").posted_at == datetime(2024, 5, 1, 2, 0, tzinfo=UTC)
    with pytest.raises(BadMessage, match=r"\$\.posted_at: no time zone"):
        one(value)
    with pytest.raises(BadMessage, match="unknown time zone"):
        one(value, "Mars/Base")


def test_attachment_bytes_are_read_again_by_index() -> None:
    files = [{"name": "a", "content": base64.b64encode(b"one").decode()}, {"name": "b", "size": 3}]
    raw = raw_of([{"text": "x", "attachments": files[:1]}, {"text": "y", "attachments": files}])
    assert attachment_content(raw, 1) == b"one"
    with pytest.raises(BadMessage, match="no bytes of attachment 2"):
        attachment_content(raw, 2)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({}, r"\$\.text: required"),
        ({"text": "x", "autor": "y"}, r"\$\.autor: unknown key; did you mean 'author'"),
        ([{"text": "x"}, {"text": "x", "author": {"mail": "y"}}], r"\$\[1\]\.author\.mail: unknown .* 'email'"),
        ({"text": ["x"]}, r"\$\.text: expected a string, found an array"),
        ({"text": "x", "rating": "good"}, r"\$\.rating: expected a number"),
        ({"text": "x", "rating": {"best": 5}}, r"\$\.rating\.value: required"),
        ({"text": "x", "kind": "shouted"}, r"\$\.kind: 'shouted' is none of said, edited, withdrawn"),
        ({"text": "x", "posted_at": "soon"}, r"\$\.posted_at: not a date"),
        ({"text": "x", "is_automatic": "yes"}, r"\$\.is_automatic: expected true or false"),
        ({"text": "x", "attachments": [{"name": "a", "content": "%%"}]}, r"\$\.attachments\[0\]\.content: not base64"),
        ({"text": "x", "attachments": [{}]}, r"\$\.attachments\[0\]\.name: required"),
        ("text", r"\$: expected an object, found a string"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(value: Any, complaint: str) -> None:
    with pytest.raises(BadMessage, match=complaint):
        read(raw_of(value))


def test_an_object_that_nests_without_end_is_refused() -> None:
    value: dict[str, Any] = {"text": "x"}
    for _ in range(50):
        value = {"text": "x", "original": value}
    with pytest.raises(BadMessage, match="nested"):
        read_message_object(value)
