"""Who gets an acknowledgement, and what it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from allears.filing.acknowledging import responder, shown_name, shown_title
from allears.filing.routing import answering, to_all
from allears.journal.records import Reply, Told
from allears_sdk import codec
from allears_sdk.complaint import Complaint
from allears_sdk.message import Author, Message, Role
from allears_sdk.settings import AcknowledgeSettings, ChannelSettings
from allears_sdk.testing import FakeClock

CLOCK = FakeClock()
NOW = CLOCK.now()
REFERENCE = "ALE-NC64-HZZW-WCJS"


def record(language: str = "zh", title: str = "收到的杯子碎了") -> Complaint:
    return Complaint(id=REFERENCE, title=title, nature="complaint", channel="mail", received_at=NOW, language=language)


def mail(**facts: Any) -> Message:
    author = Author(id="wang@example.cn", email="wang@example.cn", name="王芳")
    given: dict[str, Any] = {"text": "杯子碎了，要求退款", "external_id": "1@example.cn#ab", "author": author}
    return Message(**{**given, "known_as": ("1@example.cn",), "posted_at": NOW, **facts})


def reply(message: Message | None = None, complaint: Complaint | None = None, **settings: Any) -> Reply | None:
    channel = ChannelSettings(connector="email", title=settings.pop("title", ""), region=settings.pop("region", "CN"))
    respond = responder("mail", channel, AcknowledgeSettings(**settings), CLOCK)
    return respond(complaint or record(), message or mail(), NOW)


def told(*given: Any, **settings: Any) -> Told:
    made = reply(*given, **settings)
    assert made is not None
    return codec.decode(made.payload, Told)


def test_in_chinese() -> None:
    said = told()
    assert said.address.subject == "Re: [ALE-NC64-HZZW-WCJS] 收到的杯子碎了"
    assert said.text.startswith("王芳，您好：\n\n我们已收到您的反馈，编号：ALE-NC64-HZZW-WCJS\n")
    assert (said.address.language, said.address.reference) == ("zh", REFERENCE)
    assert (said.address.to.email, said.address.known_as) == ("wang@example.cn", ("1@example.cn",))


def test_in_english() -> None:
    author = Author(id="amy@example.com", email="amy@example.com", name="Amy O'Neil")
    said = told(mail(author=author), record("en", "Broken cup"))
    assert said.text.startswith("Hello Amy O'Neil,\n\nWe have received your message. Its reference is ALE-NC64-HZZW")
    assert said.address.subject == "Re: [ALE-NC64-HZZW-WCJS] Broken cup"


@pytest.mark.parametrize(
    ("language", "settings", "expected"),
    [
        ("zh-Hant", {}, "zh"),
        ("de", {}, "en"),
        ("", {}, "zh"),
        ("", {"region": "DE"}, "en"),
        ("zh", {"language": "en"}, "en"),
        ("en", {"language": "zh"}, "zh"),
    ],
)
def test_the_language(language: str, settings: dict[str, str], expected: str) -> None:
    assert told(None, record(language), **settings).address.language == expected


def test_own_words() -> None:
    texts = {
        "text_zh": "{name}：您在{channel}的来信“{title}”已收到，{{编号}} {reference}",
        "subject_zh": "已收到：{title}",
    }
    said = told(title="客服邮箱", **texts)
    assert said.text == "王芳：您在客服邮箱的来信“收到的杯子碎了”已收到，{编号} ALE-NC64-HZZW-WCJS"
    assert said.address.subject == "已收到：收到的杯子碎了 [ALE-NC64-HZZW-WCJS]", "the reference is always in it"


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"text_zh": "编号 {refernce}"}, '"reference"'),
        ({"text_en": "{reference.__class__}"}, "unknown placeholder"),
        ({"text_en": "{reference!r}"}, "unknown placeholder"),
        ({"text_en": "{reference:>99999999}"}, "unknown placeholder"),
        ({"text_en": "{} {reference}"}, "unknown placeholder"),
        ({"subject_zh": "{0}"}, "unknown placeholder"),
        ({"text_zh": "编号 {reference"}, "brace"),
        ({"text_zh": "已收到"}, "{reference}"),
        ({"max_per_address_per_day": 0}, "greater"),
    ],
)
def test_texts_that_cannot_be_are_faults(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AcknowledgeSettings(**settings)
    assert word in str(caught.value)


@pytest.mark.parametrize(
    "message",
    [
        mail(is_automatic=True, automatic_reason="Auto-Submitted: auto-replied"),
        mail(author=Author(role=Role.COMPANY, id="kefu@example.com", email="kefu@example.com")),
        mail(author=Author()),
        mail(author=Author(id="no-reply@shop.cn", email="no-reply@shop.cn")),
        mail(original=Message(text="杯子碎了", author=Author(id="li@example.cn", email="li@example.cn"))),
        mail(posted_at=NOW - timedelta(hours=25)),
    ],
    ids=["automatic", "company", "nobody", "no-reply", "forward", "long ago"],
)
def test_who_is_not_answered(message: Message) -> None:
    assert reply(message) is None


def test_how_long_ago_is_for_the_admin_to_say() -> None:
    yesterday = mail(posted_at=NOW - timedelta(hours=25))
    assert reply(yesterday, within_hours=26)
    assert reply(mail(posted_at=NOW - timedelta(minutes=31)), within_hours=0.5) is None
    assert reply(mail(posted_at=None))


def test_one_address_is_one_however_it_is_written() -> None:
    one = reply()
    assert one
    assert "wang" not in one.who
    for email in ("WANG@example.cn", "wang+tag7@example.cn"):
        other = reply(mail(author=Author(id="x", email=email)))
        assert other
        assert other.who == one.who


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("王芳", "王芳"),
        ("  Amy\r\nBcc: x ", ""),
        ("Dr. Li Lei", "Dr. Li Lei"),
        ("Win money at https://evil.example", ""),
        ("www.evil.example", ""),
        ("buy-now.shop", ""),
        ("加微信 13812345678", ""),
        ("x" * 41, ""),
        ("欧阳\u202e娜娜", "欧阳 娜娜"),
        ("wang@example.cn", ""),
    ],
)
def test_names_carry_no_words_to_strangers(name: str, shown: str) -> None:
    assert shown_name(name) == shown


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("杯子碎了\r\nBcc: victim@example.org", "杯子碎了 Bcc: …"),
        ("Free: http://evil.example/x?y=1 now", "Free: … now"),
        ("Order 12.50 is wrong, v1.2.3 too", "Order 12.50 is wrong, v1.2.3 too"),
        ("请看evil.com/abc", "请看…"),
        ("很" * 200, "很" * 99 + "…"),
    ],
)
def test_titles_carry_no_links(title: str, shown: str) -> None:
    assert shown_title(title) == shown


def test_only_channels_that_acknowledge_have_answers() -> None:
    plain = to_all(())
    assert answering(plain, {}) is plain
    respond = responder("mail", ChannelSettings(connector="email"), AcknowledgeSettings(), CLOCK)
    router = answering(plain, {"mail": respond})
    assert router(record()).responder is respond
    assert router(replace(record(), channel="form")).responder is None
