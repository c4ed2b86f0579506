"""Outlook's winmail.dat is opened."""

from __future__ import annotations

import base64
import struct

import pytest

from normalizer.readers.rfc822 import attachment_bytes, read_mail

MAPI_PROPERTIES = 0x00069003
ATTACH_RENDER_DATA, ATTACH_TITLE, ATTACH_DATA, BODY = 0x00069002, 0x00018010, 0x0006800F, 0x0002800C


def attribute(level: int, kind: int, data: bytes) -> bytes:
    return struct.pack("<BII", level, kind, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def winmail(*files: tuple[str, bytes], body: str = "") -> bytes:
    out = struct.pack("<IH", 0x223E9F78, 1)
    if body:
        out += attribute(1, BODY, body.encode("ascii") + b"\0")
    for name, content in files:
        out += attribute(2, ATTACH_RENDER_DATA, bytes(14))
        out += attribute(2, ATTACH_TITLE, name.encode("ascii") + b"\0") + attribute(2, ATTACH_DATA, content)
    return out


def mail(data: bytes, text: bytes = b"see file") -> bytes:
    return (
        b"From: a@b.example\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\n" + text + b"\n--B\n"
        b"Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(data)
        + b"--B--\n"
    )


def test_its_files_become_attachments() -> None:
    data = mail(winmail(("a.txt", b"one"), ("b.bin", b"\0\1")))
    message = read_mail(data)
    assert [(file.name, file.size) for file in message.attachments] == [("a.txt", 3), ("b.bin", 2)]
    assert attachment_bytes(data, 1) == b"\0\1"
    assert message.text == "see file"


def test_its_text_is_used_when_the_mail_has_none() -> None:
    assert read_mail(mail(winmail(body="The kettle leaks."), text=b"")).text == "The kettle leaks."


@pytest.mark.parametrize(
    ("rich", "text"),
    [
        (rb"{\rtf1\ansi\ansicpg936 The kettle leaks.\par \'cd\'cb\'bf\'ee}", "The kettle leaks.\n退款"),
        (rb"{\rtf1\ansi\fromhtml1 {\*\htmltag64 <p>}The kettle leaks.{\*\htmltag72 </p>}}", "The kettle leaks."),
    ],
)
def test_its_rich_text_is_read_when_there_is_no_other(rich: bytes, text: str) -> None:
    packed = struct.pack("<II4sI", len(rich) + 12, len(rich), b"MELA", 0) + rich
    padded = packed + bytes(-len(packed) % 4)
    properties = struct.pack("<IHHII", 1, 0x0102, 0x1009, 1, len(packed)) + padded
    data = winmail() + attribute(1, MAPI_PROPERTIES, properties)
    assert read_mail(mail(data, text=b"")).text == text


def test_a_truncated_one_stays_as_it_is() -> None:
    whole = winmail(("a.txt", b"x" * 500))
    for end in range(6, len(whole), 7):
        message = read_mail(mail(whole[:end]))
        assert message.text == "see file"
