"""Forwards as mail programs write them: the mail inside is the complaint, its author the customer.

`trim_cases/forwards.txt` holds `⟦name⟧ subject | author of the original, or none | subject of the original`, then the
body; the lines marked `▸` are the original's text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest

from normalizer.readers.rfc822 import read_mail

CASES = Path(__file__).parent / "trim_cases" / "forwards.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    name: str
    subject: str
    author: str
    original_subject: str
    body: str
    original_text: str


def read_forwards() -> list[Forward]:
    text = CASES.read_text(encoding="utf-8").replace("␠", " ")
    return [_read_forward(block) for block in re.split(r"(?m)^⟦", text)[1:]]


def _read_forward(block: str) -> Forward:
    head, _, body = block.partition("\n")
    name, _, about = head.partition("⟧")
    subject, author, original_subject = (field.strip() for field in about.split("|"))
    lines = body.split("\n")
    return Forward(
        name=name,
        subject=subject,
        author=author,
        original_subject=original_subject,
        body=body.replace("▸", ""),
        original_text="\n".join(line.split("▸", 1)[1] for line in lines if "▸" in line),
    )


def forward(case: Forward) -> bytes:
    """From the staff where the original's author is somebody else, from the customer where there is none."""
    mail = EmailMessage()
    mail["From"] = "ida@mail.example" if case.author == "none" else "Piet <piet@tents.example>"
    mail["To"] = "desk@tents.example"
    mail["Subject"] = case.subject
    mail.set_content(case.body)
    return mail.as_bytes()


@pytest.mark.parametrize("case", read_forwards(), ids=lambda case: case.name)
def test_who_complains_and_of_what(case: Forward) -> None:
    original = read_mail(forward(case)).original
    if case.author == "none":
        assert original is None
        return
    assert original is not None
    author = f"{original.author.name} <{original.author.email}>" if original.author.email else original.author.name
    assert (author, original.subject, original.text) == (case.author, case.original_subject, case.original_text)


def test_many_forwards_in_one_another_end() -> None:
    head = (
        "---------- Forwarded message ---------\nFrom: Staff <s{}@tents.example>\nSubject: Fwd: x\nTo: a@b.example\n\n"
    )
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "piet@tents.example", "desk@tents.example", "Fwd: x"
    mail.set_content("".join(head.format(number) for number in range(500)) + "The tent tore.")
    original = read_mail(mail.as_bytes()).original
    assert original is not None
    assert original.text.endswith("The tent tore.")
