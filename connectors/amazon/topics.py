"""Topics of a product's reviews, as raws (Customer Feedback API 2024-06-01). Only the negative ones are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from allears_sdk.errors import Unavailable
from allears_sdk.message import Raw
from allears_sdk.sweep import digest_of, raw_of, unreadable

TOPIC = "topic:"
"""Begins their keys."""


def read_topics(data: Mapping[str, Any], marketplace: str, asin: str, now: datetime) -> Iterator[Raw]:
    """Raises Unavailable for what is no answer of this API. Counts move each week and never make a revision."""
    topics = data.get("topics")
    found = topics.get("negativeTopics") if isinstance(topics, dict) else None
    if not isinstance(topics, dict) or not isinstance(found, list | None):
        raise Unavailable("Amazon's answer is not a list of topics")
    name = data.get("itemName")
    about = {"marketplace": marketplace, "asin": asin, "item": name if isinstance(name, str) else ""}
    for topic in found or ():
        yield _raw(topic, about, now)


def snippets_of(topic: Mapping[str, Any]) -> list[str]:
    """What customers wrote, of the topic and its parts, each once."""
    parts = topic.get("subtopics")
    holders = [topic, *(part for part in (parts if isinstance(parts, list) else ()) if isinstance(part, dict))]
    given = [holder.get("reviewSnippets") for holder in holders]
    said = [one for many in given if isinstance(many, list) for one in many if isinstance(one, str) and one.strip()]
    return list(dict.fromkeys(one.strip() for one in said))


def _raw(topic: Any, about: Mapping[str, str], now: datetime) -> Raw:
    name = topic.get("topic") if isinstance(topic, dict) else None
    if not isinstance(name, str) or not name.strip():
        return unreadable(topic, now, "a topic without a name").raws[0]
    key = f"{TOPIC}{about['marketplace']}:{about['asin']}:{name.strip().casefold()[:200]}"
    return raw_of(key, topic, now, digest_of(name, sorted(snippets_of(topic))), **about)
