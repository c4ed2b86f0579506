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


SIGNATURE = "\n\nKind regards,\nPiet Bakker\n\nThis email and any attachments are confidential and " + "so on " * 150


def attaching(inner: EmailMessage, *, subject: str, text: str, sender: str = "piet@tents.example") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, "desk@tents.example", subject
    mail.set_content(text)
    mail.add_attachment(inner)
    return mail


def complaint(sender: str = "Ida Moss <ida@mail.example>") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, "whitby@tents.example", "torn tent"
    mail.set_content("The tent tore on the first night.")
    return mail


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Fwd: torn tent", "Please take this one."),
        ("FW: torn tent", f"Please take this one.{SIGNATURE}"),
        ("", "see attached"),
        ("torn tent", ""),
    ],
)
def test_forwarded_as_attachment(subject: str, text: str) -> None:
    original = read_mail(attaching(complaint(), subject=subject, text=text).as_bytes()).original
    assert original is not None
    assert (original.author.email, original.text) == ("ida@mail.example", "The tent tore on the first night.")


def test_attached_mail_passed_on_by_a_colleague() -> None:
    passed_on = attaching(complaint(), subject="Fwd: torn tent", text="For you.", sender="whitby@tents.example")
    original = read_mail(
        attaching(passed_on, subject="Fwd: Fwd: torn tent", text="Hello, see below").as_bytes()
    ).original
    assert original is not None
    assert original.author.email == "ida@mail.example"


def test_an_attached_mail_of_ours_is_evidence() -> None:
    ours = complaint(sender="Shop <whitby@tents.example>")
    mail = attaching(ours, subject="", text="This is what you promised.", sender="ida@mail.example")
    assert read_mail(mail.as_bytes()).original is None


def test_a_complaint_with_a_mail_attached_is_no_forward() -> None:
    mail = attaching(complaint("Courier <tours@courier.example>"), subject="Lost parcel", text="See what he wrote.")
    assert read_mail(mail.as_bytes()).original is None
