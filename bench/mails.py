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
PADDING_ZH = (
    "以下是详细情况：当时我按照说明书操作，反复试了几次都不行，家里其他电器都正常。",
    "周三晚上我打过一次热线，排了二十多分钟队，接线员说会登记，之后就没有消息了。",
    "包装盒、小票和赠品我都留着，照片里可以看到右下角的标签。",
    "家里老人腿脚不方便，来回跑一趟快递站要一个多小时，实在折腾不起。",
    "我在你们店里买东西有四五年了，之前的电饭煲和吸尘器一直都挺好用。",
    "师傅上门看过一次，说是里面的零件松了，但是手头没有配件。",
    "页面上写的是三天内发货，现在已经过了一个星期，状态一直没有变。",
    "同事同一天下的单，地址也在一个小区，他那份早就到了。",
    "我把聊天记录翻了一遍，前后三位客服给的答复都不一样。",
    "麻烦安排一位了解情况的人直接联系我，上午九点以后都方便。",
    "说明书第七页讲的指示灯颜色，和我手里这台机器也对不上。",
    "如果还需要别的材料，请一次说清楚，我这边尽量配合。",
)
PADDING_EN = (
    "Here is what happened: I followed the manual step by step and tried several times without success. ",
    "On Wednesday evening I waited twenty minutes on the hotline, and the agent promised to make a note of it. ",
    "I have kept the box, the receipt and the small gift that came with it. ",
    "My mother cannot walk far, and the parcel shop is almost an hour away by bus. ",
    "I have been buying from you for about five years and was always pleased with the other devices. ",
    "A technician came by once and said a part inside was loose, but he had no spare with him. ",
    "The page says it is sent within three days; a week has gone by and the status is the same. ",
    "A colleague ordered on the same day to the next street, and his has been there since Monday. ",
    "I read our chat again from the beginning, and three agents gave me three different answers. ",
    "Please let somebody who knows the case call me, any time after nine in the morning is fine. ",
    "Page seven of the manual speaks of a green light, and mine has only a white one. ",
    "If you need anything else from me, please ask for all of it at once. ",
)
"""What people write around what they want; each mail has sentences of its own, as a repeated one would weigh on
quotation and rules as no real mail does."""


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
        return "投诉：" + order, rng.choice(ZH).format(order=order) + "\n\n" + _padding(rng, PADDING_ZH)
    return "Complaint " + order, rng.choice(EN).format(order=order) + "\n\n" + _padding(rng, PADDING_EN)


def _padding(rng: random.Random, sentences: tuple[str, ...]) -> str:
    return "".join(rng.choices(sentences, k=rng.randrange(1, 40)))


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
    body = base64.encodebytes((rng.choice(ZH).format(order=order) + "".join(PADDING_ZH[:10])).encode("gbk"))
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
