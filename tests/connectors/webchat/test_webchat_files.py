"""Files of visitors and programs."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from connectors.webchat import WebchatConnector
from connectors.webchat.protocol import FILE
from tests.connectors.webchat.conftest import (
    MakeChat,
    answered,
    post,
    read,
    refused,
    request,
    taken,
    upload,
    visitor,
)

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256))


async def test_a_file_is_stored_byte_for_byte(chat: WebchatConnector) -> None:
    raw = await taken(chat, upload(JPEG, conversation="c1", name="C:\\Users\\li\\裂纹 1.jpg", message="m1"))
    assert (raw.body, raw.media_type, raw.digest) == (JPEG, FILE, "")
    (message,) = WebchatConnector.parse(raw, None)
    (file,) = message.attachments
    assert (file.name, file.media_type, file.size, file.content) == ("裂纹 1.jpg", "image/jpeg", len(JPEG), JPEG)
    assert file.sha256 == hashlib.sha256(JPEG).hexdigest()
    (said,) = await read(chat, post("见照片", conversation="c1"))
    assert message.thread == (said.external_id, *said.thread)
    assert message.author.id == said.author.id


async def test_a_file_has_its_time_too(chat: WebchatConnector) -> None:
    (message,) = await read(chat, upload(JPEG, said_at="2026-06-01T09:30:00.000Z"))
    assert message.posted_at == datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
    for wrong in ("2026-06-01T09:30:00", "gestern", "1e9"):
        status, reason = await refused(chat, upload(JPEG, said_at=wrong))
        assert (status, reason[:8]) == (400, "said_at:")


async def test_a_file_again_is_the_same_file(chat: WebchatConnector) -> None:
    first, again = [await chat.receive(upload(JPEG, conversation="c1")) for _ in range(2)]
    assert [raw.key for raw in first.raws] == [raw.key for raw in again.raws]
    assert answered(first) == answered(again, is_new=False)
    assert (await taken(chat, upload(JPEG, "f2", conversation="c1"))).key != first.raws[0].key


async def test_a_file_and_a_message_of_one_id_are_two(chat: WebchatConnector) -> None:
    assert (await taken(chat, upload(JPEG, "m1"))).key != (await taken(chat, post(id="m1"))).key


@pytest.mark.parametrize("media_type", ["message/rfc822", "application/json", "text/html; charset=x", "<b>", ""])
async def test_nobody_chooses_who_reads_a_file(chat: WebchatConnector, media_type: str) -> None:
    raw = await taken(chat, upload(b"From: x@example.com\r\n\r\nhi", by=visitor() | {"Content-Type": media_type}))
    assert raw.media_type == FILE
    (message,) = WebchatConnector.parse(raw, None)
    assert message.text == ""
    assert set(message.attachments[0].media_type) <= set("abcdefghijklmnopqrstuvwxyz0123456789/-.+")


async def test_a_files_name_is_a_name(chat: WebchatConnector) -> None:
    raw = await taken(chat, upload(JPEG, name="../../etc/\u202epasswd\r\n.jpg" + "x" * 300))
    name = WebchatConnector.parse(raw, None)[0].attachments[0].name
    assert len(name) == 200
    assert not set(name) & set("/\\\r\n\u202e")


@pytest.mark.parametrize(
    ("settings", "content", "path", "status"),
    [
        ({}, b"", "f1", 400),
        ({"max_file_bytes": 100}, b"x" * 101, "f1", 413),
        ({"max_file_bytes": 0}, b"x", "f1", 403),
        ({}, b"x", "", 400),
        ({}, b"x", "a/b", 400),
        ({}, b"x", "a:b", 400),
        ({}, b"x", "x" * 101, 400),
        ({}, b"x", "文件", 400),
    ],
)
async def test_files_that_are_not_taken(
    make_chat: MakeChat, settings: dict[str, int], content: bytes, path: str, status: int
) -> None:
    assert (await refused(make_chat(**settings), upload(content, path)))[0] == status


async def test_a_conversation_given_twice_counts_as_none(chat: WebchatConnector) -> None:
    twice = [("conversation", "c1"), ("conversation", "c2")]
    raw = await taken(chat, request("PUT", "/files/f1", JPEG, visitor(), twice))
    assert raw.thread.endswith(":")
