"""Any bytes give a message, in bounded time; nothing beyond a bound is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allears_sdk.codec import encode
from allears_sdk.message import Message
from normalizer.readers.mime import MAX_DEPTH, MAX_PARTS
from normalizer.readers.rfc822 import attachment_bytes, read_mail
from normalizer.trim import new_text, trim_reply

SECONDS = 8.0
"""Of processor time for some megabytes of hostile mail; sane readers need about one."""

FRAGMENTS = st.sampled_from(
    [
        b"From: ", b"Subject: ", b"Date: ", b"Content-Type: ", b"Content-Disposition: ",
        b"References: ", b"To: ", b"Content-Transfer-Encoding: ", b"base64", b"quoted-printable",
        b"x-uuencode", b"multipart/mixed; boundary=B", b"multipart/alternative; boundary=B",
        b"text/html; charset=", b"text/plain; charset=", b"gb2312", b"utf-7", b"utf-16", b"iso-2022-jp",
        b"hz-gb-2312", b"x-unknown", b"message/rfc822", b"application/ms-tnef", b"--B", b"--B--",
        b"\r\n", b"\n", b"\r", b"\n\n", b"\n ", b"=?utf-8?B?", b"=?gbk?Q?", b"?=", b"filename*0*=",
        b"name=", b'"', b"<", b">", b"@", b"x@y.example", b",", b";", b":", b"(", b")", b"=", b"=E5",
        b"\xc4\xe3\xba\xc3", b"\xa7A\xa6n", b"\x1b$B", b"\x00", b"\xff", b"<p>", b"<blockquote>",
        b"<!--", b"<style", b"&#xd800;", b"&#xe000;", b"begin 644 a\n", b"\nend\n",
        b"On 1 May 2024 a@b.c wrote:\n", b"> ", b"-- \n", "发件人：".encode(), "主题：".encode(),
        "写道：".encode(), b"\x78\x9f\x3e\x22", b"+2AA-", b"Fwd: ",
        b"=ybegin line=1 name=a\n", b"\n=yend size=1\n", b"text/calendar", b"SUMMARY:", b"message/delivery-status",
        b"application/pkcs7-mime", bytes.fromhex("06092a864886f70d010702"), bytes.fromhex("06092a864886f70d010701a080"),
    ]
)  # fmt: skip


def check(data: bytes) -> Message:
    message = read_mail(data)
    encode(message)
    names = [attachment.shown_name for attachment in message.attachments]
    assert all(names)
    author = message.author
    said = (message.text, message.html, message.subject, author.name, author.email)
    for text in (*said, *names, *message.participants, *message.thread):
        assert "\0" not in text
        text.encode("utf-8")
    assert len(message.external_id.rpartition("#")[2]) in (12, 24)
    assert message.posted_at is None or message.posted_at.tzinfo is not None
    for index, attachment in enumerate(message.attachments[:3]):
        assert len(attachment_bytes(data, index)) == attachment.size
    new_text(message)
    return message


@given(st.binary(max_size=2_000))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_a_message(data: bytes) -> None:
    check(data)


@given(st.lists(st.one_of(FRAGMENTS, st.binary(max_size=12)), max_size=60).map(b"".join))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_mixture_of_mail_is_a_message(data: bytes) -> None:
    check(data)


@given(st.text(max_size=600))
@settings(max_examples=150, deadline=None)
def test_any_text_is_trimmed_to_a_part_of_it(text: str) -> None:
    assert len(trim_reply(text)) <= len(text)


def nested(count: int) -> bytes:
    heads = (b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level) for level in range(count))
    return b"".join(heads) + b"\n\nthe innermost words"


HOSTILE = {
    "10,000 parts": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\nContent-Type: a/b\n\nx\n" * 10_000,
    "depth 1,000": nested(1_000),
    "one boundary for all": b"Content-Type: multipart/mixed; boundary=b\n\n"
    + b"--b\nContent-Type: multipart/mixed; boundary=b\n\n" * 10_000,
    "mails in mails": b"Content-Type: message/rfc822\n\n" * 5_000,
    "header of 5 MB": b"Subject: " + b"a" * 5_000_000,
    "300,000 fields": b"X-A: b\n" * 300_000,
    "500,000 folds": b"Subject: x\n" + b" y\n" * 500_000,
    "folds of white space": b"Subject: x\n" + b" \n" * 500_000,
    "carriage returns": b"\r" * 2_000_000,
    "open encoded words": b"Subject: " + b"=?utf-8?q?" * 100_000,
    "angle brackets": b"From: " + b"<" * 60_000,
    "at signs": b"From: " + b"@" * 60_000,
    "colons": b"From: " + b"a:" * 30_000,
    "quotes": b"From: " + b'"' * 60_000,
    "many recipients": b"To: " + b"a@b," * 500_000,
    "parameters": b"Content-Type: text/plain; " + b"a=" * 30_000,
    "spaces in a parameter": b"Content-Type: text/plain; " + b" " * 60_000,
    "padding": b"Content-Transfer-Encoding: base64\nContent-Type: a/b\n\n" + b"=A" * 1_000_000,
    "yEnc files": b"\n" + b"=ybegin line=1 name=a\n" * 100_000,
    "yEnc file of short lines": b"\n=ybegin line=1 name=a\n" + b"\n" * 2_000_000,
    "nothing but padding": b"Content-Transfer-Encoding: base64\n\n" + b"=" * 300_000 + b'"',
    "padding and breaks": b"Content-Transfer-Encoding: base64\n\n" + b"\n = \n" * 200_000,
    "uuencoded lines of spaces": b"\nbegin 644 a\n" + (b"A" + b" " * 40 + b"\n") * 2_000 + b"\x80",
    "spaces behind a boundary": b"Content-Type: multipart/mixed; boundary=b\n\n"
    + (b"--b" + b" " * 50_000 + b"x\n") * 10,
    "open parameters in rich text": b"Content-Type: text/enriched\n\n" + b"<param>" * 300_000,
    "unended uuencoded files": b"\n" + b"begin 644 a\n#:&D*\n" * 100_000,
    "lines in two encodings": b"Content-Type: text/plain; charset=utf-8\n\n"
    + b"ok \xe4\xbd\xa0\n\xc4\xe3\xba\xc3\n" * 200_000,
    "single high bytes": b"\n" + b"a\xe9b " * 500_000,
    "base64 of short lines": b"Content-Transfer-Encoding: base64\n\n" + b"aGVsbG8h\n" * 300_000 + b"* *",
    "signed in pieces": b"Content-Type: application/pkcs7-mime\n\n"
    + bytes.fromhex("308006092a864886f70d01070206092a864886f70d010701a080")
    + b"\x24\x80" * 5
    + b"\x04\x00" * 1_000_000,
    "invitation": b"Content-Type: text/calendar\n\n" + b"SUMMARY;" * 500_000,
    "multiparts encoded": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\nContent-Transfer-Encoding: quoted-printable\n\n" % level
        for level in range(30)
    )
    + b"x\n" * 1_000_000,
    "uuencoded files": b"\n" + b"begin 644 a\n" * 100_000 + b"\nend",
    "hidden elements": b"Content-Type: text/html\n\n" + b"<div style='display:none'>" * 100_000,
    "deep html": b"Content-Type: text/html\n\n" + b"<div>" * 200_000,
    "open comments": b"Content-Type: text/html\n\n" + b"<!--" * 250_000,
    "open svg": b"Content-Type: text/html\n\n" + b"<svg>" * 100_000,
    "quote marks": b"\n" + b">" * 1_000_000,
    "announcements": b"\n" + b"On 2024 10:00 a@b \n" * 50_000,
    "header blocks": b"Subject: Fwd: x\n\n" + b"From: x@y\n" * 50_000,
    "closings": b"\n" + b"regards\n" * 50_000,
    "long words": b"\n" + b"x" * 2_000_000,
    "punycode": b"Content-Type: text/plain; charset=punycode\n\n" + b"a-" * 300_000 + b"\xff",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_mail_costs_little(data: bytes) -> None:
    start = time.process_time()
    new_text(read_mail(data))
    assert time.process_time() - start < SECONDS


def test_what_lies_beyond_the_number_of_parts_stays_as_one_attachment() -> None:
    message = read_mail(HOSTILE["10,000 parts"], with_content=True)
    assert len(message.attachments) <= MAX_PARTS + 1
    rest = message.attachments[-1]
    assert rest.content is not None and rest.content.count(b"--b\n") > 8_000


def test_what_lies_too_deep_stays_as_one_attachment() -> None:
    message = read_mail(nested(MAX_DEPTH * 3), with_content=True)
    (deep,) = message.attachments
    assert deep.content is not None and deep.content.endswith(b"the innermost words")


def test_found_by_fuzzing() -> None:
    check(b'From: "john sm\0ith"@x.example\nReferences: <1234@loca\0l.ma>\n\nx')
    check(b"Content-Type: image/jpeg\nContent-Location: P\0hoto25.jpg\n\nx")
    check(b"Content-Type: image/jpeg; name=%E9%80%80%00.jpg\n\nx")


@pytest.fixture(scope="module")
def usual() -> Iterator[bytes]:
    yield (
        "From: 张三 <zs@x.example>\r\nSubject: =?gbk?B?yta7+ru1wcs=?=\r\n"
        "Content-Type: multipart/mixed; boundary=B\r\n\r\n"
        "--B\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n坏了\r\n--B\r\nContent-Type: image/png; name=a.png\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--B--\r\n"
    ).encode()


def test_a_mail_cut_off_anywhere_is_a_message(usual: bytes) -> None:
    for end in range(len(usual)):
        check(usual[:end])


def test_a_mail_with_any_byte_damaged_is_a_message(usual: bytes) -> None:
    for index in range(len(usual)):
        for byte in (0, 10, 34, 61, 255):
            read_mail(usual[:index] + bytes([byte]) + usual[index + 1 :])
