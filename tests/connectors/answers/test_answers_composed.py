"""An answer as a mail: what the standard library reads back, whatever customers and admins wrote."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allears_sdk.mail.composition import MAX_REFERENCES, Mailbox, compose
from allears_sdk.reference import is_own_mail_id
from normalizer.readers.rfc822 import read_mail
from tests.connectors.answers.postbox import parsed
from tests.connectors.answers.test_answers_sent import REFERENCE, address

OUTLOOK_ID = "SN6PR11MB2558" + "A7F3" * 18 + "@SN6PR11MB2558.namprd11.prod.outlook.com"
TO = "wangfang@mail.example.cn"


def ours(name: str = "") -> Mailbox:
    return Mailbox("kefu@example.com", name)


def test_a_chinese_answer_byte_for_byte() -> None:
    mail = compose(address(), "您好：\n编号 ALE-NC64-HZZW-WCJS\n", TO, ours("示例客服"), bounces=False)
    assert mail.decode("ascii").split("\r\n") == [
        "From: =?utf-8?B?56S65L6L5a6i5pyN?=",
        " <kefu@example.com>",
        "To: wangfang@mail.example.cn",
        "Subject: =?utf-8?B?UmU6IFtBTEUtTkM2NC1IWlpXLVdDSlNdIOaUtuWIsOeahOadr+WtkA==?=",
        " =?utf-8?B?56KO5LqG77yM6KaB5rGC6YCA5qy+?=",
        "Date: Sun, 01 Mar 2026 08:31:00 +0000",
        "Message-ID: <ack.ALE-NC64-HZZW-WCJS@example.com>",
        "In-Reply-To: <20260301.7@mail.example.cn>",
        "References: <20260301.7@mail.example.cn>",
        "Auto-Submitted: auto-replied",
        "X-Auto-Response-Suppress: All",
        "X-Allears: ALE-NC64-HZZW-WCJS",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Language: zh-CN",
        "Content-Transfer-Encoding: base64",
        "",
        "5oKo5aW977yaDQrnvJblj7cgQUxFLU5DNjQtSFpaVy1XQ0pTDQo=",
        "",
    ]


def test_an_english_answer_is_readable_as_it_stands() -> None:
    text = "Hello José,\n\n" + "We have received your message. " * 6 + "\nYours = ours\n"
    mail = compose(address(language="en", subject="Re: your order"), text, TO, ours(), bounces=True)
    assert b"Hello Jos=C3=A9," in mail
    assert max(map(len, mail.split(b"\r\n"))) <= 78
    assert parsed(mail).get_content().splitlines() == text.splitlines()


def test_ids_stay_whole_however_long() -> None:
    thread = (OUTLOOK_ID, *(f"{number}@mail.example.cn" for number in range(60)), "root@mail.example.cn")
    mail = compose(address(known_as=(OUTLOOK_ID,), thread=thread), "x", TO, ours(), bounces=False)
    read = read_mail(mail)
    assert read.thread[0] == OUTLOOK_ID, "nearest first"
    assert read.thread[-1] == "root@mail.example.cn"
    assert len(read.thread) == MAX_REFERENCES + 1
    assert b"=?" not in mail.partition(b"References")[2].partition(b"Auto-")[0]


def test_our_own_mail_is_known_when_it_comes_back() -> None:
    read = read_mail(compose(address(), "您好", TO, ours(), bounces=False))
    assert read.is_automatic
    assert is_own_mail_id(read.known_as[0])
    assert read.thread == ("20260301.7@mail.example.cn",)


def test_the_same_answer_is_the_same_bytes() -> None:
    once, again = (compose(address(), "您好", TO, ours(), bounces=False) for _ in range(2))
    assert once == again


@pytest.mark.parametrize(
    "hostile",
    [
        "a\r\nBcc: victim@example.org",
        "a\nBcc: victim@example.org\n\nbody",
        "a\x00b\x0b\x0cc",
        "a\u2028Bcc: x\u2029b",
        "=?utf-8?Q?=0D=0ABcc:_x?=",
    ],
)
def test_nothing_anybody_writes_becomes_a_header(hostile: str) -> None:
    told = address(subject=hostile, known_as=(f"{hostile}@x",), thread=(f"<{hostile}>@x", "good@x"))
    mail = parsed(compose(told, hostile, TO, ours(hostile), bounces=True))
    assert " ".join(mail.keys()) == (
        "From To Subject Date Message-ID References Auto-Submitted X-Auto-Response-Suppress Precedence X-Allears"
        " MIME-Version Content-Type Content-Language Content-Transfer-Encoding"
    )
    assert mail["From"].addresses[0].addr_spec == "kefu@example.com"


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=200)


NAMES = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd"]), max_size=60)


@given(subject=TEXTS, name=NAMES)
def test_what_is_written_is_what_is_read(subject: str, name: str) -> None:
    mail = compose(address(subject=f"Re: {subject}"), "x", TO, ours(name), bounces=False)
    assert max(map(len, mail.split(b"\r\n"))) <= 78
    read = read_mail(mail)
    assert read.subject.split() == f"Re: {subject}".split()
    assert read.author.name.split() == name.split()
    assert (read.author.email, read.participants) == ("kefu@example.com", (TO,))


@given(st.text(max_size=400))
def test_the_text_arrives(text: str) -> None:
    mail = compose(address(), text, TO, ours(), bounces=False)
    assert max(map(len, mail.split(b"\r\n"))) <= 78
    content = text.encode("utf-8", "replace").decode()
    assert parsed(mail).get_content().rstrip().splitlines() == content.rstrip().splitlines()


def test_dates_are_those_of_the_event() -> None:
    at = datetime(2026, 11, 22, 10, 0, 5, 123456, tzinfo=UTC)
    assert read_mail(compose(address(at=at), "x", TO, ours(), bounces=False)).posted_at == at.replace(microsecond=0)


def test_the_reference_is_in_it() -> None:
    assert parsed(compose(address(), "x", TO, ours(), bounces=False))["X-Allears"] == REFERENCE
