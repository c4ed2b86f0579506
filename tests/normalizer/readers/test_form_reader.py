"""A form as a browser posts it → one Message."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from allears_sdk.errors import BadMessage
from allears_sdk.message import FORM_DATA, Message, Raw
from normalizer.readers import attachment_content, read

NOW = datetime(2024, 5, 1, 2, 0, tzinfo=UTC)
BOUNDARY = "----WebKitFormBoundaryx7Gq"
PHOTO = b"\xff\xd8\xff\r\n--not the boundary\r\n\x00" * 10


def raw_of(*parts: bytes, boundary: str = BOUNDARY) -> Raw:
    body = b"".join(b"--" + BOUNDARY.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    return Raw(
        key="k",
        body=body + b"--" + BOUNDARY.encode() + b"--\r\n",
        media_type=f"{FORM_DATA}; boundary={boundary}",
        received_at=NOW,
    )


def field(name: str, value: str) -> bytes:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()


def file(name: str, content: bytes, media_type: str = "image/jpeg") -> bytes:
    head = f'Content-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: {media_type}\r\n\r\n'
    return head.encode() + content


def test_a_submitted_form() -> None:
    raw = raw_of(
        field("name", "张三"),
        field("email", "ZS@x.example"),
        field("phone", "138 0013 8000"),
        field("wechat", "zs_1"),
        field("order", "77"),
        field("product", "水壶"),
        field("subject", "漏水"),
        field("language", "zh-CN"),
        field("text", "第二天就漏水。\r\n要求退款。"),
        file("漏水 照片.jpg", PHOTO),
        file("a%22b.jpg", b"x"),
        file("", b"", "application/octet-stream"),
    )
    (message,) = read(raw)
    assert message.text == "第二天就漏水。\n要求退款。"
    author = message.author
    assert (author.id, author.email, author.name) == ("zs@x.example", "zs@x.example", "张三")
    assert (author.phone, author.handle) == ("138 0013 8000", "zs_1")
    assert (message.order, message.product, message.subject, message.language) == ("77", "水壶", "漏水", "zh-CN")
    assert message.posted_at == NOW
    assert [(one.name, one.size) for one in message.attachments] == [("漏水 照片.jpg", len(PHOTO)), ('a"b.jpg', 1)]
    assert attachment_content(raw, 0) == PHOTO


def test_text_alone_is_enough() -> None:
    (message,) = read(raw_of(field("text", "hello")))
    assert message == Message(text="hello", posted_at=NOW)


def test_without_email_the_phone_identifies() -> None:
    (message,) = read(raw_of(field("text", "x"), field("phone", "+86 138-0013-8000")))
    assert message.author.id == "+8613800138000"


@pytest.mark.parametrize(
    "raw",
    [
        raw_of(field("name", "x")),
        raw_of(field("text", "   ")),
        raw_of(field("text", "x"), boundary="other"),
        Raw(key="k", body=b"text=x", media_type=FORM_DATA, received_at=NOW),
        raw_of(*[field("text", "x")] * 600),
    ],
)
def test_what_is_no_form_is_refused(raw: Raw) -> None:
    with pytest.raises(BadMessage):
        read(raw)


def test_what_fell_into_the_trap_field_is_automatic() -> None:
    (message,) = read(replace(raw_of(field("text", "buy cheap pills")), context={"honeypot": True}))

    assert (message.is_automatic, message.automatic_reason) == (True, "honeypot")
