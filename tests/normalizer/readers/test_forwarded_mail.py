"""Of a forward, the forwarded mail is the complaint and its author the customer."""

from __future__ import annotations

import pytest

from allears_sdk.message import Message
from normalizer.readers.rfc822 import read_mail


def forwarded(subject: str, body: str) -> Message | None:
    head = f"From: Staff <staff@shop.example>\nSubject: {subject}\nContent-Type: text/plain; charset=utf-8"
    return read_mail(f"{head}\n\n{body}".encode()).original


SHAPES = {
    "gmail": (
        "Fwd: broken",
        "FYI\n\n---------- Forwarded message ---------\nFrom: Zhang San <zs@x.example>\n"
        "Date: Wed, May 1, 2024 at 10:00 AM\nSubject: broken\nTo: <staff@shop.example>\n\n\nIt is broken.",
    ),
    "qq": (
        "转发: broken",
        '请处理\n\n------------------ 原始邮件 ------------------\n发件人: "Zhang San" <zs@x.example>;\n'
        '发送时间: 2024年5月1日(星期三) 上午10:00\n收件人: "客服"<staff@shop.example>;\n主题: broken\n\nIt is broken.',
    ),
    "netease": (
        "Fw:broken",
        "---- 转发的原邮件 ----\n| 发件人 | Zhang San<zs@x.example> |\n| 发送日期 | 2024年05月01日 10:00 |\n"
        "| 收件人 | staff@shop.example |\n| 主题 | broken |\nIt is broken.",
    ),
    "outlook german": (
        "WG: broken",
        "\n\nVon: Zhang San <zs@x.example>\nGesendet: Mittwoch, 1. Mai 2024 10:00\nAn: staff@shop.example\n"
        "Betreff: broken\n\nIt is broken.",
    ),
    "outlook mailto": (
        "FW: broken",
        "\n-----Original Message-----\nFrom: Zhang San [mailto:zs@x.example]\nSent: Wednesday, May 1, 2024 10:00\n"
        "To: staff@shop.example\nSubject: broken\n\nIt is broken.",
    ),
    "apple": (
        "Fwd: broken",
        "Begin forwarded message:\n\n> From: Zhang San <zs@x.example>\n> Subject: broken\n"
        "> Date: 1 May 2024 at 10:00:00 GMT+8\n> To: staff@shop.example\n> \n> It is broken.",
    ),
    "thunderbird": (
        "Fwd: broken",
        "-------- Forwarded Message --------\nSubject: \tbroken\nDate: \tWed, 1 May 2024 10:00:00 +0800\n"
        "From: \tZhang San <zs@x.example>\nTo: \tstaff@shop.example\n\nIt is broken.",
    ),
}


@pytest.mark.parametrize(("subject", "body"), SHAPES.values(), ids=SHAPES)
def test_inline_forwards(subject: str, body: str) -> None:
    original = forwarded(subject, body)
    assert original is not None
    assert (original.author.name, original.author.email) == ("Zhang San", "zs@x.example")
    assert (original.subject, original.text) == ("broken", "It is broken.")


def test_a_reply_is_no_forward() -> None:
    assert forwarded("Re: broken", SHAPES["qq"][1]) is None
    assert forwarded("回复: broken", SHAPES["outlook german"][1]) is None


def test_who_says_much_above_speaks_for_himself() -> None:
    assert forwarded("Fwd: your answer", "My own complaint. " * 60 + SHAPES["gmail"][1]) is None


def test_a_forwarded_notice_from_nobody_has_no_other_author() -> None:
    assert forwarded("Fwd: broken", SHAPES["gmail"][1].replace("zs@x", "noreply@x")) is None


def test_forwarded_as_attachment() -> None:
    data = (
        b"From: staff@shop.example\nSubject: FW: broken\nContent-Type: multipart/mixed; boundary=B\n\n"
        b"--B\n\nplease handle\n--B\nContent-Type: message/rfc822\n\n"
        b"From: Zhang San <ZS@x.example>\nSubject: broken\nMessage-ID: <i@x>\n\nIt is broken.\n--B--\n"
    )
    message = read_mail(data)
    assert message.original is not None
    assert message.original.author.email == "zs@x.example"
    assert message.original.text == "It is broken."
    assert [file.media_type for file in message.attachments] == ["message/rfc822"]
