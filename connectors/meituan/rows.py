"""Comments as raws."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from allears_sdk.codec import encode
from allears_sdk.message import Raw
from allears_sdk.sweep import Listed, digest_of, unreadable
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
    comment = known.get("comment_id")
    if isinstance(comment, bool) or not isinstance(comment, str | int) or not str(comment).strip():
        said = [str(known.get(name) or "") for name in ("comment_time", "comment_content")]
        return unreadable(row, now, "a comment without an id", said)
    key = str(comment).strip()
    return Listed(raws=tuple(_raws(known, key, poi, now)), at=moment(known.get("comment_time")))


def _raws(row: Mapping[str, Any], key: str, poi: str, now: datetime) -> Iterator[Raw]:
    matters, about = digest_of(*(row.get(name) for name in _SAID)), {"poi": poi}
    yield Raw(key=key, digest=matters, body=encode(row), media_type=_JSON, received_at=now, context=about)
    if answer := row.get("e_reply_content"):
        digest = digest_of(answer)
        yield Raw(
            key=f"{REPLY}{key}", digest=digest, body=encode(row), media_type=_JSON, received_at=now, context=about
        )


_JSON = "application/json"
