"""A review and the company's answer to it, which Google hands out as one, as two raws."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from allears_sdk.codec import encode
from allears_sdk.message import Raw
from allears_sdk.sweep import digest_of

JSON = "application/json"
BEST = 5
ANSWER = "answer:"
"""Begins the keys of answers."""


def answer_to(review: str, answer: Mapping[str, Any], said: object, now: datetime) -> Raw:
    """`said`: the words of it. It has no id of its own."""
    return Raw(
        key=f"{ANSWER}{review}",
        digest=digest_of(said),
        body=encode(answer),
        media_type=JSON,
        received_at=now,
        context={"review": review},
    )


def inner(item: Any, name: str) -> Mapping[str, Any]:
    found = item.get(name) if isinstance(item, dict) else None
    return found if isinstance(found, dict) else {}


def text_of(item: Any, name: str) -> str:
    found = item.get(name) if isinstance(item, dict) else None
    return found if isinstance(found, str) else ""
