"""Mails as they come to a complaints address: plain and HTML, UTF-8 and GBK and Big5, with and without files."""

from __future__ import annotations

import base64
import random
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime

ZH = (
    "你好，我上周在你们店买的空气炸锅，插上电不加热，订单号{order}，要求退款。",
    "快递显示已签收，但我一直没有收到货，运单号SF{order}，请尽快查一下。",
    "客服态度很差，说了三次都没有解决，请给我一个说法。电话13812345678。",
    "发票抬头开错了，申请重开，已经一个月没有人处理。",
)
EN = (
    "The kettle stopped working after two days. Order {order}. I want my money back.",
    "My parcel is marked as delivered, but it never arrived. Tracking 1Z999AA1{order}.",
    "I was charged twice for order {order} and nobody answers my mails.",
    "The app has been down since this morning and I cannot log in.",
)
PADDING_ZH = "以下是详细情况：当时我按照说明书操作，反复试了几次都不行，家里其他电器都正常。"
PADDING_EN = "Here is what happened: I followed the manual step by step and tried several times without success. "


def make(count: int, seed: int = 1) -> list[bytes]:
    """The same mails for the same seed; about 9 KB on average."""
    rng = random.Random(seed)
    return [_mail(rng, number) for number in range(count)]


def _mail(rng: random.Random, number: int) -> bytes:
    kind = rng.choices(_KINDS, _WEIGHTS)[0]
    return kind(rng, number)


def _frame(rng: random.Random, number: int, subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = rng.choice(("李雷 <lilei{0}@example.com>", "Han Meimei <hmm{0}@example.org>")).format(number % 500)
    mail["To"] = "kefu@example.com"
    mail["Subject"] = subject
    mail["Message-ID"] = f"<bench-{number}@mail.example.com>"
    mail["Date"] = format_datetime(datetime(2026, 11, 20, 8, tzinfo=UTC) + timedelta(seconds=number))
    for hop in range(3):
        mail["Received"] = f"from mx{hop}.example.com (mx{hop}.example.com [192.0.2.{hop}]) by mail; {mail['Date']}"
    return mail


def _words(rng: random.Random) -> tuple[str, str]:
    order = str(rng.randrange(10**12, 10**13))
    if rng.random() < 0.6:
        return "投诉：" + order, rng.choice(ZH).format(order=order) + "\n\n" + PADDING_ZH * rng.randrange(1, 30)
    return "Complaint " + order, rng.choice(EN).format(order=order) + "\n\n" + PADDING_EN * rng.randrange(1, 30)


def _plain(rng: random.Random, number: int) -> bytes:
    subject, text = _words(rng)
    mail = _frame(rng, number, subject)
    mail.set_content(text)
    return mail.as_bytes()


def _alternative(rng: random.Random, number: int) -> bytes:
    subject, text = _words(rng)
    mail = _frame(rng, number, subject)
    mail.set_content(text)
    mail.add_alternative(_html(text), subtype="html")
    return mail.as_bytes()


def _html_only(rng: random.Random, number: int) -> bytes:
    subject, text = _words(rng)
    mail = _frame(rng, number, subject)
    mail.set_content(_html(text), subtype="html")
    return mail.as_bytes()


def _with_file(rng: random.Random, number: int) -> bytes:
    subject, text = _words(rng)
    mail = _frame(rng, number, subject)
    mail.set_content(text)
    photo = rng.randbytes(rng.randrange(10_000, 60_000))
    mail.add_attachment(photo, maintype="image", subtype="jpeg", filename=f"照片{number}.jpg")
    return mail.as_bytes()


def _gbk(rng: random.Random, number: int) -> bytes:
    """A desktop client of 2008: GBK in the body, labelled gb2312, encoded words in the subject."""
    order = str(rng.randrange(10**12, 10**13))
    subject = base64.b64encode(f"投诉{order}".encode("gbk")).decode()
    body = base64.encodebytes((rng.choice(ZH).format(order=order) + PADDING_ZH * 10).encode("gbk"))
    head = (
        f"From: =?gb2312?B?zfXQocP3?= <wang{number % 500}@example.cn>\r\nTo: kefu@example.com\r\n"
        f"Subject: =?gb2312?B?{subject}?=\r\nMessage-ID: <bench-{number}@example.cn>\r\n"
        f"Date: Fri, 20 Nov 2026 16:00:00 +0800\r\nMIME-Version: 1.0\r\n"
        'Content-Type: text/plain; charset="gb2312"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    )
    return head.encode() + body


def _reply(rng: random.Random, number: int) -> bytes:
    """To a mail we never saw, with its quote below."""
    subject, text = _words(rng)
    mail = _frame(rng, number, "Re: " + subject)
    mail["In-Reply-To"] = mail["References"] = f"<earlier-{number}@example.com>"
    quote = "\n".join("> " + line for line in text.splitlines())
    mail.set_content(f"{text}\n\n在 2026年11月19日，客服 <kefu@example.com> 写道：\n{quote}\n")
    return mail.as_bytes()


def _html(text: str) -> str:
    rows = "".join(f"<tr><td style='padding:4px'>{part}</td></tr>" for part in text.split("。"))
    return f"<html><head><style>td{{color:#333}}</style></head><body><table>{rows}</table></body></html>"


_KINDS = (_plain, _alternative, _html_only, _with_file, _gbk, _reply)
_WEIGHTS = (35, 25, 10, 10, 12, 8)
