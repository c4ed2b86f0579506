"""What a mail's header says about the mails it belongs to and the people who take part."""

from __future__ import annotations

import base64

import pytest

from normalizer.readers.rfc822 import read_mail

GUID = bytes(range(16))
FIRST = base64.b64encode(b"\x01\xdb" + b"\x00" * 4 + GUID).decode()
ANSWER = base64.b64encode(b"\x01\xdb" + b"\x00" * 4 + GUID + b"\x12\x34\x56\x78\x90").decode()


def read(*head: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(what it is known as, its thread)."""
    message = read_mail("\r\n".join([*head, "", "x"]).encode())
    return message.known_as, message.thread


@pytest.mark.parametrize(
    ("head", "thread"),
    [
        ("In-Reply-To: <b@x>\r\nReferences: <a@x> <b@x>", ("b@x", "a@x")),
        ("References: <a@x>\r\n <b@x>\r\n\t<c@x>", ("c@x", "b@x", "a@x")),
        ("References: <a@x><b@x>,<c@x>", ("c@x", "b@x", "a@x")),
        ("In-Reply-To: a@x", ("a@x",)),
        ("In-Reply-To: Your message of Mon, 17 Nov 2025 <b@x>", ("b@x",)),
        ("References: <long-part-of-an-id-\r\n was-folded-inside@x>", ("long-part-of-an-id-was-folded-inside@x",)),
        ("In-Reply-To: <>\r\nReferences: <> < >", ()),
        ("In-Reply-To: <a@x> <a@x> <a@x>", ("a@x",)),
        ("In-Reply-To: hello", ()),
    ],
)  # fmt: skip
def test_ids_as_they_really_arrive(head: str, thread: tuple[str, ...]) -> None:
    assert read(head)[1] == thread


def test_of_a_thousand_references_the_root_and_the_nearest_are_kept() -> None:
    _, thread = read("References: " + "\r\n ".join(f"<{number}@x>" for number in range(1000)))
    assert (thread[0], thread[-1], len(thread)) == ("999@x", "0@x", 100)


def test_an_id_folded_inside_is_the_same_on_both_sides() -> None:
    known, _ = read("Message-ID: <part-one-\r\n part-two@x>")
    assert known == read("In-Reply-To: <part-one-part-two@x>")[1]


def test_outlook_threads_without_references() -> None:
    known, thread = read("Message-ID: <1@x>", f"Thread-Index: {FIRST}")
    assert (known[0], thread) == ("1@x", ())
    known_answer, answer = read("Message-ID: <2@x>", f"Thread-Index: {ANSWER}")
    assert answer == known[1:] == known_answer[1:]
    assert read("Message-ID: <3@x>", "References: <1@x>", f"Thread-Index: {ANSWER}")[1] == ("1@x",)


@pytest.mark.parametrize("index", ["", "====", "AQ==", "no base64 at all!", "A" * 5000, FIRST[:10], "\u5de5\u5355"])
def test_a_broken_thread_index_is_none(index: str) -> None:
    known, thread = read("Message-ID: <1@x>", f"Thread-Index: {index}")
    assert thread == () or index == "A" * 5000
    assert known[0] == "1@x"


def test_several_who_sign_are_all_parties() -> None:
    message = read_mail(b"From: Li <li@qq.com>, Amy <amy@example.com>\r\nTo: help@shop.cn\r\n\r\nx")
    assert message.author.email == "li@qq.com"
    assert set(message.participants) == {"li@qq.com", "amy@example.com", "help@shop.cn"}


@pytest.mark.parametrize("head", ["From:", "From: <>", "From: undisclosed", "Subject: nobody"])
def test_nobody_is_nobody(head: str) -> None:
    assert read_mail(f"{head}\r\n\r\nx".encode()).author.id == ""
