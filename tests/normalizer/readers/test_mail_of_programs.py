"""Whole mails as programs and gateways put them together, people and words changed: who wrote, what is said and what
came with it.

`mails_of_programs.txt` holds mails under `⟦program⟧`. Lines marked `▸` tell what is expected where it is not what
nearly all of them say: `sender`, `name` and `subject`, `text` (a line of it each), `html` (something that stands in
it; without it there is none), and `file` with its size in bytes and the name its sender gave it. `␠` is a space that
ends a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from normalizer.readers.rfc822 import read_mail

_FILE = Path(__file__).with_name("mails_of_programs.txt")
_USUAL = {
    "sender": "ana.berg@mail.example",
    "name": "Ana Berg",
    "subject": "Kettle",
    "text": "The kettle leaks.",
    "html": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    program: str
    data: bytes
    expected: dict[str, str] = field(default_factory=dict)
    files: tuple[tuple[str, int], ...] = ()


def read_mails() -> list[Mail]:
    blocks = re.split(r"(?m)^⟦", _FILE.read_text(encoding="utf-8").replace("␠", " "))
    return [_read_mail(block) for block in blocks[1:]]


def _read_mail(block: str) -> Mail:
    program, _, body = block.partition("⟧\n")
    lines = body.removesuffix("\n").split("\n")
    said: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("▸"):
            key, _, value = line[1:].partition(" ")
            said.setdefault(key, []).append(value)
    files = tuple((name, int(size)) for size, _, name in (value.partition(" ") for value in said.pop("file", ())))
    raw = "\r\n".join(line for line in lines if not line.startswith("▸"))
    expected = _USUAL | {key: "\n".join(values) for key, values in said.items()}
    return Mail(program=program, data=raw.encode(), expected=expected, files=files)


@pytest.mark.parametrize("mail", read_mails(), ids=lambda mail: re.sub(r"[^a-z0-9]+", "-", mail.program.lower()))
def test_a_mail_as_programs_make_them(mail: Mail) -> None:
    message = read_mail(mail.data)
    seen = {
        "sender": message.author.email,
        "name": message.author.name,
        "subject": message.subject,
        "text": message.text.strip("\n"),
        "html": mail.expected["html"] if message.html and mail.expected["html"] in message.html else message.html,
    }
    assert seen == mail.expected
    assert tuple((file.name, file.size) for file in message.attachments) == mail.files


def test_yenc_with_every_byte_there_is() -> None:
    data = bytes((byte + 42) & 0xFF for byte in range(256))
    for critical in (b"=", b"\0", b"\n", b"\r"):
        data = data.replace(critical, bytes((0x3D, (critical[0] + 64) & 0xFF)))
    mail = b"From: a@b.example\r\n\r\nSee:\r\n=ybegin line=128 size=256 name=all bytes.bin\r\n%s\r\n=yend size=256\r\n"
    message = read_mail(mail % data, with_content=True)
    (file,) = message.attachments
    assert (file.name, file.content, message.text.strip()) == ("all bytes.bin", bytes(range(256)), "See:")
