"""Outlook messages dropped into the watched folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from allears_sdk.message import OUTLOOK_MSG, Raw
from allears_sdk.testing import make_context
from connectors.folder import FolderConnector, FolderSettings
from normalizer import readers
from tests.normalizer.readers.outlook import msg


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    path = tmp_path / "收件箱"
    path.mkdir()
    return path


async def hear(inbox: Path, tmp_path: Path) -> tuple[list[Raw], list[str]]:
    """Raws, and why files failed."""
    settings = FolderSettings(path=inbox, settle_file_seconds=0, max_file_bytes=1 << 20)
    folder = FolderConnector(settings, make_context("desk", tmp_path))
    batches = [batch async for batch in folder.poll(str(inbox), None, {}, 10)]
    return [raw for batch in batches for raw in batch.raws], [one.reason for batch in batches for one in batch.missing]


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir() if entry.is_file()}


async def test_an_outlook_message_is_stored_byte_for_byte_and_read(inbox: Path, tmp_path: Path) -> None:
    content = msg({0x0037: "投诉：门店", 0x1000: "等了两个小时 / waited for two hours", 0x5D01: "wang@example.com"})
    (inbox / "客户来信.MSG").write_bytes(content)
    ((raw,), reasons) = await hear(inbox, tmp_path)
    assert (raw.body, raw.media_type, raw.context, reasons) == (content, OUTLOOK_MSG, {"file": "客户来信.MSG"}, [])
    (message,) = readers.read(raw)
    assert (message.author.email, message.subject) == ("wang@example.com", "投诉：门店")
    assert names(inbox / "done") == {"客户来信.MSG"}


async def test_the_same_file_again_has_the_same_key(inbox: Path, tmp_path: Path) -> None:
    keys = []
    for name in ("a.msg", "b.msg"):
        (inbox / name).write_bytes(msg({0x1000: "坏了"}))
        ((raw,), _) = await hear(inbox, tmp_path)
        keys.append(raw.key)
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"From: a@b.example\r\n\r\nan .eml renamed", "no Outlook message"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * (1 << 20), "larger than"),
    ],
)
async def test_what_is_none_fails_with_a_reason(inbox: Path, tmp_path: Path, content: bytes, said: str) -> None:
    (inbox / "bad.msg").write_bytes(content)
    (inbox / "good.msg").write_bytes(msg({0x1000: "好的"}))
    raws, (reason,) = await hear(inbox, tmp_path)
    assert len(raws) == 1
    assert said in reason
    assert not reason.isascii()
    assert {"bad.msg", "bad.msg.reason"} <= names(inbox / "failed")
