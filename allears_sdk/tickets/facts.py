"""A record as flat facts: what settings map to a store's fields, and what templates may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from allears_sdk.complaint import Complaint

Fact = str | int | float | tuple[str, ...] | datetime
"""Of a record: text ("" where nobody said), a number, several texts, or an instant in UTC."""

FACTS: Mapping[str, Callable[[Complaint], Fact]] = {
    "id": lambda record: record.id,
    "title": lambda record: record.title,
    "nature": lambda record: record.nature,
    "customer_id": lambda record: record.customer_id,
    "customer_name": lambda record: record.contact.name or record.customer.name,
    "customer_level": lambda record: record.customer.level,
    "customer_region": lambda record: record.customer.region,
    "customer_key": lambda record: record.customer.key,
    "email": lambda record: record.contact.email,
    "phone": lambda record: record.contact.phone,
    "wechat": lambda record: record.contact.wechat,
    "handle": lambda record: record.contact.handle,
    "contact": lambda record: " · ".join(reach(record)),
    "channel": lambda record: record.channel,
    "connector": lambda record: record.connector,
    "received_at": lambda record: record.received_at,
    "product_or_order": lambda record: record.product_or_order,
    "product_line": lambda record: record.product_line,
    "orders": lambda record: record.entities.order,
    "tracking": lambda record: record.entities.tracking,
    "amounts": lambda record: record.entities.amount,
    "category": lambda record: record.category,
    "category_1": lambda record: record.category.partition(".")[0],
    "category_2": lambda record: record.category.partition(".")[2],
    "description": lambda record: record.description,
    "priority": lambda record: record.priority,
    "expectation": lambda record: record.expectation,
    "attachments": lambda record: tuple(file.name for file in record.attachments),
    "handler": lambda record: record.handler or record.assignee or record.team,
    "team": lambda record: record.team,
    "assignee": lambda record: record.assignee,
    "cc": lambda record: record.cc,
    "rating": lambda record: record.rating.value if record.rating else "",
    "language": lambda record: record.language,
    "permalink": lambda record: record.permalink,
    "tags": lambda record: record.tags,
    "related": lambda record: record.related,
}


def reach(record: Complaint) -> tuple[str, ...]:
    """Every way to reach the customer that is known."""
    contact = record.contact
    return tuple(filter(None, (contact.email, contact.phone, contact.wechat, contact.handle)))


def facts_of(record: Complaint) -> dict[str, Fact]:
    return {name: read(record) for name, read in FACTS.items()}


def as_text(fact: Fact | None) -> str:
    """One line: several values joined by a comma, an instant as ISO 8601 in UTC."""
    if isinstance(fact, datetime):
        return fact.strftime("%Y-%m-%dT%H:%M:%SZ")
    return ", ".join(fact) if isinstance(fact, tuple) else "" if fact is None else str(fact)
