"""Acknowledgements: who gets one, and what it says. Pure but for the clock, which says whether it is too late."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from allears.journal.records import REPLIES, Reply, Responder, Told
from allears.journal.senders import identity
from allears_sdk import codec
from allears_sdk.clock import Clock
from allears_sdk.complaint import Complaint
from allears_sdk.connector import Address
from allears_sdk.message import Message, Role
from allears_sdk.reference import seed
from allears_sdk.settings import AcknowledgeSettings, ChannelSettings
from normalizer.readers.automatic import is_no_reply

_SUBJECT = "Re: [{reference}] {title}"
_TEXTS = {
    "zh": """{greeting}

我们已收到您的反馈，编号：{reference}

接下来由工作人员查看。如需补充（照片、订单号等），直接回复即可，会归入同一编号。

本消息由系统自动发送，仅确认收到。""",
    "en": """{greeting}

We have received your message. Its reference is {reference}

Somebody will look at it next. To add anything (photos, an order number), simply answer this message: it will be kept
under the same reference.

This confirmation was sent automatically.""",
}
_GREETINGS = {"zh": ("{name}，您好：", "您好："), "en": ("Hello {name},", "Hello,")}

_MAX_TITLE = 100
_MAX_NAME = 40
_LINK = re.compile(
    r"\S*(?:://|www\.)\S*|\b(?:[\w.+-]+@)?[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}(?![\w.])\S*", re.IGNORECASE | re.ASCII
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")
_NO_NAME = re.compile(r"[@/:<>{}\[\]()\\|]|\d{5}|www\.", re.IGNORECASE)


def responder(channel: str, settings: ChannelSettings, acknowledge: AcknowledgeSettings, clock: Clock) -> Responder:
    """Answers by the channel's settings, in the customer's language."""

    def respond(record: Complaint, message: Message, received_at: datetime) -> Reply | None:
        said_at = min(message.posted_at or received_at, received_at)
        if not _may_be_answered(message) or clock.now() - said_at > timedelta(hours=acknowledge.within_hours):
            return None
        language = _language(record, settings, acknowledge)
        facts = {
            "reference": record.id,
            "name": shown_name(message.author.name),
            "title": shown_title(record.title),
            "channel": settings.title or channel,
        }
        address = Address(
            to=message.author, message=message.external_id, known_as=message.known_as, thread=message.thread,
            said_at=said_at, reference=record.id, at=received_at, subject=_subject(acknowledge, language, facts),
            language=language,
        )  # fmt: skip
        return Reply(
            destination=REPLIES + channel,
            payload=codec.encode(Told(address=address, text=_text(acknowledge, language, facts))),
            who=seed("reply", channel, _whom(message)).hex(),
            max_per_day=acknowledge.max_per_address_per_day,
        )

    return respond


def shown_name(name: str) -> str:
    """What may be repeated of a name: whoever forges a sender could have us carry his words to a stranger."""
    plain = " ".join(_CONTROL.sub(" ", name).split())
    return "" if len(plain) > _MAX_NAME or _NO_NAME.search(plain) or _LINK.search(plain) else plain


def shown_title(title: str) -> str:
    """In one line, without links."""
    plain = " ".join(_LINK.sub("…", _CONTROL.sub(" ", title[:400])).split())
    return plain if len(plain) <= _MAX_TITLE else plain[: _MAX_TITLE - 1].rstrip() + "…"


def _may_be_answered(message: Message) -> bool:
    """A customer who speaks for himself. Of a forward we know only what somebody wrote about its author."""
    author = message.author
    if author.role is not Role.CUSTOMER or message.is_automatic or message.original is not None:
        return False
    if message.automatic_reason:  # a person has it filed all the same; a machine may still sit behind it
        return False
    return bool(_whom(message)) and not is_no_reply(author.email)


def _whom(message: Message) -> str:
    author = message.author
    return identity(author.email or author.id or author.handle).lower()


def _language(record: Complaint, settings: ChannelSettings, acknowledge: AcknowledgeSettings) -> str:
    if acknowledge.language != "auto":
        return acknowledge.language
    if not record.language:
        return "zh" if settings.region == "CN" else "en"
    return "zh" if record.language.startswith("zh") else "en"


def _subject(acknowledge: AcknowledgeSettings, language: str, facts: dict[str, str]) -> str:
    own = acknowledge.subject_zh if language == "zh" else acknowledge.subject_en
    subject = (own or _SUBJECT).format_map(facts)
    return subject if facts["reference"] in subject else f"{subject} [{facts['reference']}]"


def _text(acknowledge: AcknowledgeSettings, language: str, facts: dict[str, str]) -> str:
    own = acknowledge.text_zh if language == "zh" else acknowledge.text_en
    named, nameless = _GREETINGS[language]
    greeting = (named if facts["name"] else nameless).format_map(facts)
    return (own or _TEXTS[language]).format_map({**facts, "greeting": greeting})
