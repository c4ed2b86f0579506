"""The complaint record of one conversation: pure, the same for the same conversation, facts and rules."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, TypedDict

from allears_sdk.complaint import (
    AttachedFile,
    Complaint,
    Contact,
    Customer,
    Entities,
    Evidence,
    Provenance,
    Said,
)
from allears_sdk.message import Author, Kind, Message, Role
from normalizer.conversation import Conversation, Facts
from normalizer.fields.consulted import Load, LoadEncoder, Voices, consult, nobody
from normalizer.fields.entities import entities_of
from normalizer.fields.language import detect
from normalizer.fields.nature import is_greeting
from normalizer.fields.own import decided, own_category, own_expectation, own_nature, own_priority
from normalizer.fields.reading import Reading, Readings, current, read
from normalizer.fields.signals import weigh
from normalizer.fields.title import title_of
from normalizer.model import load as load_model
from normalizer.rules import Rules, load

__all__ = ["changes", "derive", "deserves_filing", "is_greeting"]

DESCRIPTION_CHARACTERS = 20_000
"""A longer description is cut here and says so in its provenance; the whole text stays in `conversation`."""

_COMPARED = (
    "nature",
    "rating",
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
_NOBODY = Author()
_INTRODUCING = ("name", "handle", "email", "phone", "level")
_AS_SAID = Provenance(source="channel")
_AS_SAID_AT_FIRST = Provenance(source="channel:first 20000 characters")
_BY_SCRIPT = Provenance(source="script")
_NOT_FILED = frozenset({"spam", "automatic", "praise"})

Sources = dict[str, Provenance]
"""Why fields say what they say, by field."""


def derive(
    conversation: Conversation,
    facts: Facts,
    rules: Rules | None = None,
    model: Load = load_model,
    encoder: LoadEncoder = nobody,
) -> Complaint:
    """Never raises on any text; rules read the customer's first 20,000 characters. `encoder`: a third voice, some
    hundred times slower than the others."""
    messages = current(conversation)
    customers = [message for message in messages if message.author.role is Role.CUSTOMER]
    author = _introduced(customers) if customers else _NOBODY
    readings, rules = read(customers), rules or load()
    entities, named = entities_of(readings.mentions, readings.quoted, rules.shapes)
    hinting = [message for message in messages if message.author.role is not Role.COMPANY]
    product_or_order, about = _product_or_order(entities, named, hinting)
    contact, reached = _contact(author, named)
    customer_id = author.id or author.email or author.phone or author.handle
    known = {"customer_id": _AS_SAID} if customer_id else {}
    judgement, judged = _judge(readings.words, customers, facts, rules, Voices(model, encoder))
    words, worded = _words(readings, customers)
    return Complaint(
        id=conversation.reference,
        customer_id=customer_id,
        contact=contact,
        channel=facts.channel,
        received_at=conversation.opened_at,
        product_or_order=product_or_order,
        attachments=tuple([file for message in messages for file in _files(message)]),
        connector=facts.connector,
        customer=Customer(name=author.name, level=facts.customer_level or author.level),
        entities=entities,
        rating=next((message.rating for message in reversed(customers) if message.rating), None),
        conversation=_said(conversation),
        permalink=next((message.permalink for message in messages if message.permalink), ""),
        tags=("withdrawn",) if any(message.kind is Kind.WITHDRAWN for message in customers) else (),
        related=conversation.related,
        provenance=named | about | reached | known | judged | worded | {"rules": _read_by(rules)},
        **judgement,
        **words,
    )


def _read_by(rules: Rules) -> Provenance:
    """Which rules made this record: what another version makes of the same words may differ."""
    return Provenance(source=f"rules:{rules.version}")


def _introduced(customers: list[Message]) -> Author:
    """Who speaks first, with what they told of themselves later: in a chat the phone number follows."""
    author = customers[0].author
    for message in customers[1:]:
        if author.id and message.author.id == author.id:
            told = {name: getattr(message.author, name) for name in _INTRODUCING if not getattr(author, name)}
            author = replace(author, **told)
    return author


def _files(message: Message) -> list[AttachedFile]:
    return [
        AttachedFile(
            name=file.shown_name,
            media_type=file.media_type,
            size=file.size,
            sha256=file.sha256,
            skipped=file.skipped,
            pending=file.is_pending,
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


def _product_or_order(entities: Entities, named: Sources, hinting: list[Message]) -> tuple[str, Sources]:
    """What the source hints at, a platform's notices included (who came from an order's page), and what is named."""
    hints = [message.product for message in hinting if message.product]
    orders = [message.order for message in hinting if message.order]
    both = dict.fromkeys((*hints, *entities.product, *entities.order, *orders))
    if not both:
        return "", {}
    about = [named[key] for key in ("entities.product", "entities.order") if key in named]
    evidence = tuple([words for source in about for words in source.evidence])
    source = about[0].source if about else "channel"
    return ", ".join(both), {"product_or_order": Provenance(source=source, score=0.9, evidence=evidence)}


def _contact(author: Author, named: Sources) -> tuple[Contact, Sources]:
    """What the channel knows of the author, then what the customer wrote."""
    known = {"name": author.name, "email": author.email, "phone": author.phone, "handle": author.handle}
    written = {kind: _own(named, kind) for kind in ("email", "phone", "wechat") if not known.get(kind)}
    filled = {kind: evidence for kind, evidence in written.items() if evidence is not None}
    if not filled and not any(known.values()):
        return Contact(), {}
    contact = Contact(**(known | {kind: evidence.words for kind, evidence in filled.items()}))
    source = "channel" if any(known.values()) else named[f"entities.{next(iter(filled))}"].source
    return contact, {"contact": Provenance(source=source, score=0.9, evidence=tuple(filled.values()))}


def _own(named: Sources, kind: str) -> Evidence | None:
    """The last one given, which is where people put their own; hotlines are nobody's."""
    source = named.get(f"entities.{kind}")
    given = source.evidence if source is not None else ()
    return next((words for words in reversed(given) if not _HOTLINE.match(words.words)), None)


class _Judgement(TypedDict):
    nature: str
    category: str
    priority: str
    expectation: tuple[str, ...]


def _judge(
    reading: Reading, customers: list[Message], facts: Facts, rules: Rules, voices: Voices
) -> tuple[_Judgement, Sources]:
    """What only the words say."""
    signals = weigh(reading, rules)
    own, consulted = decided(signals, rules), consult(signals, customers, facts, voices)
    nature, why = own_nature(signals, own) or consulted.nature()
    category, category_source = own_category(signals, own, nature) or consulted.category(nature)
    priority, priority_source = own_priority(signals, own, nature, consulted.priority(nature, category))
    expectation, wanted = own_expectation(signals, own, nature, consulted.expectation(nature))
    sources = {"nature": why, "expectation": wanted, "category": category_source, "priority": priority_source}
    judgement = _Judgement(nature=nature, category=category, priority=priority, expectation=expectation)
    return judgement, {name: source for name, source in sources.items() if source is not None}


class _Words(TypedDict):
    title: str
    description: str
    language: str


def _words(readings: Readings, customers: list[Message]) -> tuple[_Words, Sources]:
    """The customer's own, as a person reads them."""
    sources: Sources = {}
    said = [passage.text.strip() for passage in readings.words.passages if passage.offset >= 0]
    description = "\n".join(said).strip()[:DESCRIPTION_CHARACTERS]
    subject = next((message.subject for message in customers if message.subject), "")
    title = title_of(subject, description)
    if description:
        sources["description"] = _AS_SAID if readings.whole else _AS_SAID_AT_FIRST
    if title:
        sources["title"] = _AS_SAID
    hint = next((message.language for message in customers if message.language), "")
    language = detect(description or subject, hint)
    if language:
        sources["language"] = _AS_SAID if language == hint else _BY_SCRIPT
    return _Words(title=title, description=description, language=language), sources


def deserves_filing(complaint: Complaint, *, public: bool) -> bool:
    """Direct channels: all but spam, automatic mail, praise and bare greetings; public ones: complaints."""
    if all(said.role is not Role.CUSTOMER for said in complaint.conversation):
        return False
    if complaint.nature == "complaint":
        return True
    if public or complaint.nature in _NOT_FILED:
        return False
    return bool(complaint.attachments) or not is_greeting(f"{complaint.title}\n{complaint.description}")


def changes(before: Complaint, after: Complaint) -> dict[str, tuple[Any, Any]]:
    """Template fields (nature and rating too) that differ: name → (before, after)."""
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in _COMPARED}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
