"""The standard complaint record, schema `allears.complaint/1`, and the events of its life.

The eleven template fields carry their Chinese label in the JSON Schema (`json_schema()`). The taxonomy's
meaning is in docs/record.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from allears_sdk.message import Rating, Role

SCHEMA = "allears.complaint/1"

NATURES = ("complaint", "question", "request", "praise", "suggestion", "spam", "automatic", "other")
PRIORITIES = ("P1", "P2", "P3", "P4")
EXPECTATIONS = (
    "refund",
    "exchange",
    "repair",
    "compensation",
    "reship",
    "cancel",
    "apology",
    "explanation",
    "invoice",
    "action",
    "none",
)
CATEGORIES = (
    "product.function_failure",
    "product.material_defect",
    "product.design",
    "product.not_as_described",
    "service.attitude",
    "service.competence",
    "service.process",
    "service.waiting",
    "service.self_service",
    "logistics.delay",
    "logistics.damage",
    "logistics.loss",
    "logistics.courier",
    "billing.price",
    "billing.payment",
    "billing.invoice",
    "policy.warranty",
    "policy.refund",
    "policy.promotion",
    "technical.outage",
    "technical.account",
    "technical.privacy",
    "other",
)


def labelled(zh: str, en: str) -> msgspec.Meta:
    return msgspec.Meta(title=en, description=zh, extra_json_schema={"x-label": {"zh": zh, "en": en}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """How the company can reach the customer; empty where nobody said."""

    name: str = ""
    email: str = ""
    phone: str = ""
    wechat: str = ""
    handle: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    name: str = ""
    level: str = ""
    region: str = ""
    """As the customers' file says, else the ISO 3166 code of the phone's country."""
    key: str = ""
    """The same on every channel where an identifier matches: the customers' file's id, else one of ours. Opaque."""
    earlier_contacts: int = 0
    """Complaints of the same customer that were open when this one was opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entities:
    """Exact words as they stand in the text, by kind."""

    order: tuple[str, ...] = ()
    product: tuple[str, ...] = ()
    phone: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    wechat: tuple[str, ...] = ()
    tracking: tuple[str, ...] = ()
    amount: tuple[str, ...] = ()
    person: tuple[str, ...] = ()


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Where words stand: in which message of the conversation, and between which characters of its text."""

    message: str
    words: str
    start: int = -1
    end: int = -1


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Why a derived field says what it says."""

    source: str
    """`rule:zh.product.broken`, `channel` (the source said so), `default`, `model:NAME`, `admin`."""
    score: float = 1.0
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message inside the record."""

    id: str
    role: Role
    author: str
    at: datetime
    text: str
    posted_at: datetime | None = None
    kind: str = "said"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """An attachment as the record names it."""

    name: str
    media_type: str
    size: int
    sha256: str = ""
    skipped: str = ""
    """Why there are no bytes, and never will be."""
    pending: bool = False
    """Its bytes are on their way: an event tells when they have come."""
    message: str = ""
    """External id of the message it came with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """The normalised record of one conversation. `""`, `()` and None mean honestly empty."""

    schema: str = SCHEMA
    id: str
    """Also the reference people read out: ALE-7K3M-Q9TX-4RWD."""
    title: str
    nature: str
    customer_id: Annotated[str, labelled("客户标识", "Customer ID")] = ""
    contact: Annotated[Contact, labelled("客户联系方式", "Customer contact")] = field(default_factory=Contact)
    channel: Annotated[str, labelled("投诉渠道", "Channel")] = ""
    received_at: Annotated[datetime, labelled("投诉时间", "Received at")]
    product_or_order: Annotated[str, labelled("涉及产品/订单", "Product or order")] = ""
    category: Annotated[str, labelled("问题分类", "Category")] = ""
    description: Annotated[str, labelled("问题详细描述", "Description")] = ""
    priority: Annotated[str, labelled("紧急程度", "Priority")] = ""
    expectation: Annotated[tuple[str, ...], labelled("客户期望", "Expectation")] = ()
    attachments: Annotated[tuple[AttachedFile, ...], labelled("附件/证据", "Attachments")] = ()
    handler: Annotated[str, labelled("受理人", "Handler")] = ""
    connector: str = ""
    customer: Customer = field(default_factory=Customer)
    entities: Entities = field(default_factory=Entities)
    team: str = ""
    assignee: str = ""
    cc: tuple[str, ...] = ()
    """Who is to know of it beside them, as the routes say."""
    product_line: str = ""
    """As the catalogue says of what it is about."""
    rating: Rating | None = None
    language: str = ""
    conversation: tuple[Said, ...] = ()
    permalink: str = ""
    tags: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    provenance: dict[str, Provenance] = field(default_factory=dict)


class EventKind(StrEnum):
    OPENED = "opened"
    FOLLOWED_UP = "followed_up"
    EDITED = "edited"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened to a complaint, with the record as it was then; written once, never changed."""

    id: str
    """The complaint's id with a digest of its messages' keys, without dots: `ALE-7K3M-Q9TX-4RWD:9f1c03aa52`."""
    complaint_id: str
    sequence: int
    """1 for the opening, then 2, 3, … per complaint."""
    kind: EventKind
    at: datetime
    record: Complaint
    messages: tuple[str, ...] = ()
    """External ids of the messages that are new with this event."""
    keys: dict[str, str] = field(default_factory=dict)
    """Of each of them that counts, in order: a key of its own, made like an event's id → its external id. However
    messages are told together, no key is told twice. The key of a single message is the event's id."""
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Template fields that changed: name → (before, after)."""
    former: tuple[str, ...] = ()
    """As a sink gets it: ids of the complaint's earlier tickets there, which are closed for good, merged or deleted."""


def told_by(event: Event) -> tuple[str, ...]:
    """The keys that say whether an event is known: those of its messages, else its id."""
    return tuple(event.keys) or (event.id,)


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the complaint record, each template field labelled in Chinese and English."""
    (reference,), components = msgspec.json.schema_components([Complaint], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA,
        **reference,
        "$defs": components,
    }
