"""Comments as raws."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from allears_sdk.message import Raw
from allears_sdk.numbers import id_of
from allears_sdk.sweep import Listed, digest_of, raw_of, unreadable
from connectors._marketplace.times import moment

REPLY = "reply:"
"""Begins the keys of a shop's answers."""
_SAID = ("comment_content", "food_comment_score", "add_comment", "comment_pictures", "comment_lables")


def listed(rows: Iterable[Any], poi: str, now: datetime) -> list[Listed]:
    """Each once, though it may stand in two lists."""
    found = [_listed(row, poi, now) for row in rows]
    return list({item.raws[0].key: item for item in found}.values())


def _listed(row: Any, poi: str, now: datetime) -> Listed:
    known = row if isinstance(row, dict) else {}
    key = id_of(known.get("comment_id"))
    if not key:
        said = [str(known.get(name) or "") for name in ("comment_time", "comment_content")]
        return unreadable(row, now, "a comment without an id", said)
    return Listed(raws=tuple(_raws(known, key, poi, now)), at=moment(known.get("comment_time")))


def _raws(row: Mapping[str, Any], key: str, poi: str, now: datetime) -> Iterator[Raw]:
    yield raw_of(key, row, now, digest_of(*(row.get(name) for name in _SAID)), poi=poi)
    if answer := row.get("e_reply_content"):
        yield raw_of(f"{REPLY}{key}", row, now, digest_of(answer), poi=poi)
