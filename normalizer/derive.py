"""The complaint record of one conversation: pure, the same for the same conversation, facts and rules."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from allears_sdk.complaint import (
    AttachedFile,
    Complaint,
    Contact,
    Customer,
    Evidence,
    Provenance,
    Said,
)
from allears_sdk.message import Author, Kind, Message, Role
from normalizer.conversation import Conversation, Facts
from normalizer.fields.category import category_of
from normalizer.fields.entities import entities_of
from normalizer.fields.expectation import expectation_of
from normalizer.fields.language import detect
from normalizer.fields.nature import is_greeting, nature_of
from normalizer.fields.priority import priority_of
from normalizer.fields.reading import Reading, Readings, current, quoted, read
from normalizer.fields.signals import weigh
from normalizer.fields.title import title_of
from normalizer.rules import Rules, load

__all__ = ["changes", "derive", "deserves_filing", "is_greeting"]

DESCRIPTION_CHARACTERS = 20_000
"""A longer description is cut here and says so in its provenance; the whole text stays in `conversation`."""

_COMPARED = (
    "nature",
    "customer_id",
    "contact",
    "channel",
    "received_at",
    "product_or_order",
    "category",
    "description",
    "priority",
    "expectation",
    "attachments",
    "handler",
)
_HOTLINE = re.compile(r"(?:[48]00|1-8\d\d|9\d{4}$|1\d{4}$)")
_NOT_FILED = frozenset({"spam", "automatic", "praise"})


def derive(conversation: Conversation, facts: Facts, rules: Rules | None = None) -> Complaint:
    """Never raises on any text; rules read the customer's first 20,000 characters."""
    messages = current(conversation)
    customers = [message for message in messages if message.author.role is Role.CUSTOMER]
    readings = read(conversation)
    record = _frame(conversation, facts, messages, customers)
    record = _with_entities(record, readings, quoted(conversation), customers)
    return _with_judgement(record, readings, customers, facts, rules or load())


def _frame(conversation: Conversation, facts: Facts, messages: list[Message], customers: list[Message]) -> Complaint:
    """What the channel says by itself."""
    author = customers[0].author if customers else Author()
    rating = next((message.rating for message in reversed(customers) if message.rating), None)
    return Complaint(
        id=conversation.reference,
        title="",
        nature="other",
        customer_id=author.id or author.email or author.phone or author.handle,
        channel=facts.channel,
        connector=facts.connector,
        received_at=conversation.opened_at,
        attachments=tuple(file for message in messages for file in _files(message)),
        customer=Customer(name=author.name, level=facts.customer_level or author.level),
        rating=rating,
        conversation=_said(conversation),
        permalink=next((message.permalink for message in messages if message.permalink), ""),
        tags=("withdrawn",) if any(message.kind is Kind.WITHDRAWN for message in customers) else (),
        related=conversation.related,
    )


def _files(message: Message) -> list[AttachedFile]:
    return [
        AttachedFile(
            name=file.name,
            media_type=file.media_type,
            size=file.size,
            sha256=file.sha256,
            skipped=file.skipped,
            message=message.external_id,
        )
        for file in message.attachments
        if not file.inline
    ]


def _said(conversation: Conversation) -> tuple[Said, ...]:
    """Every message as it was said, earlier versions of edited ones included."""
    return tuple(
        Said(
            id=heard.message.external_id,
            role=heard.message.author.role,
            author=heard.message.author.name or heard.message.author.handle or heard.message.author.id,
            at=heard.received_at,
            text=heard.message.text,
            posted_at=heard.message.posted_at,
            kind=heard.message.kind.value,
        )
        for heard in conversation.messages
    )


def _with_entities(record: Complaint, readings: Readings, quotes: Reading, customers: list[Message]) -> Complaint:
    hints = tuple(message.product for message in customers if message.product)
    entities, provenance = entities_of(readings.mentions, quotes)
    orders = (*entities.order, *(message.order for message in customers if message.order))
    named = dict.fromkeys((*hints, *entities.product, *orders))
    about = [provenance[key] for key in ("entities.product", "entities.order") if key in provenance]
    if named:
        evidence = tuple(words for source in about for words in source.evidence)
        source = about[0].source if about else "channel"
        provenance["product_or_order"] = Provenance(source=source, score=0.9, evidence=evidence)
    contact, contact_source = _contact(customers, provenance)
    if contact_source is not None:
        provenance["contact"] = contact_source
    if record.customer_id:
        provenance["customer_id"] = Provenance(source="channel")
    return replace(record, entities=entities, contact=contact, product_or_order=", ".join(named), provenance=provenance)


def _contact(customers: list[Message], found: dict[str, Provenance]) -> tuple[Contact, Provenance | None]:
    """What the channel knows of the author, then what the customer wrote."""
    author = customers[0].author if customers else Author()
    known = {"name": author.name, "email": author.email, "phone": author.phone, "handle": author.handle}
    written = {kind: _own(found, kind) for kind in ("email", "phone", "wechat") if not known.get(kind)}
    filled = {kind: evidence for kind, evidence in written.items() if evidence is not None}
    words = {kind: evidence.words for kind, evidence in filled.items()}
    contact = Contact(**({key: value for key, value in known.items() if value} | words))
    if contact == Contact():
        return contact, None
    source = "channel" if any(known.values()) else found[f"entities.{next(iter(filled))}"].source
    return contact, Provenance(source=source, score=0.9, evidence=tuple(filled.values()))


def _own(found: dict[str, Provenance], kind: str) -> Evidence | None:
    """The last one given, which is where people put their own; hotlines are nobody's."""
    given = found.get(f"entities.{kind}", Provenance(source="")).evidence
    return next((words for words in reversed(given) if not _HOTLINE.match(words.words)), None)


def _with_judgement(
    record: Complaint, readings: Readings, customers: list[Message], facts: Facts, rules: Rules
) -> Complaint:
    """What only the words say."""
    signals = weigh(readings.words, rules)
    provenance = dict(record.provenance)
    nature, provenance["nature"] = nature_of(signals, customers, facts)
    category, category_source = category_of(signals, nature)
    priority, priority_source = priority_of(signals, nature, category, facts)
    expectation, provenance["expectation"] = expectation_of(signals, nature)
    sources = {"category": category_source, "priority": priority_source}
    provenance |= {name: source for name, source in sources.items() if source is not None}
    words = "\n".join(passage.text.strip() for passage in readings.words.passages if passage.offset >= 0)
    description = words.strip()[:DESCRIPTION_CHARACTERS]
    subject = next((message.subject for message in customers if message.subject), "")
    title = title_of(subject, description)
    if description:
        provenance["description"] = Provenance(source="channel" if readings.whole else "channel:first 20000 characters")
    if title:
        provenance["title"] = Provenance(source="channel")
    hint = next((message.language for message in customers if message.language), "")
    language = detect(description or subject, hint)
    if language:
        provenance["language"] = Provenance(source="channel" if language == hint else "script")
    return replace(
        record,
        title=title,
        nature=nature,
        category=category,
        priority=priority,
        expectation=expectation,
        description=description,
        language=language,
        provenance=provenance,
    )


def deserves_filing(complaint: Complaint, *, public: bool) -> bool:
    """Direct channels: all but spam, automatic mail, praise and bare greetings; public ones: complaints."""
    if public:
        return complaint.nature == "complaint"
    if complaint.nature in _NOT_FILED:
        return False
    return bool(complaint.attachments) or not is_greeting(f"{complaint.title}\n{complaint.description}")


def changes(before: Complaint, after: Complaint) -> dict[str, tuple[Any, Any]]:
    """Template fields (and the nature) that differ: name → (before, after)."""
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in _COMPARED}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
