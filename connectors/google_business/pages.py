"""A page of reviews with the owner's answers, as raws ("Business Profile API v4: accounts.locations.reviews")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allears_sdk.codec import encode
from allears_sdk.errors import Unavailable
from allears_sdk.message import Raw
from allears_sdk.sweep import Listed, Page, digest_of, unreadable
from connectors._google.reviews import JSON, answer_to, inner, text_of

_TRANSLATED, _ORIGINAL = "(Translated by Google)", "(Original)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    name: str
    """accounts/1/locations/2"""
    title: str

    @property
    def id(self) -> str:
        """locations/2: the same under whichever account it is managed."""
        return "/".join(self.name.split("/")[-2:])


def read_page(answer: Mapping[str, Any], place: Place, now: datetime) -> Page:
    """Raises Unavailable for what is no page. A place nobody has rated has no `reviews` at all."""
    rows = answer.get("reviews", [])
    if not isinstance(rows, list):
        raise Unavailable("Google's answer is not a list of reviews")
    return Page(items=[_listed(row, place, now) for row in rows], next=text_of(answer, "nextPageToken"))


def _listed(row: Any, place: Place, now: datetime) -> Listed:
    review, at = text_of(row, "reviewId"), moment(text_of(row, "updateTime"))
    if not review or at is None:
        return unreadable(row, now, "a review without an id or a date")
    return Listed(raws=tuple(_raws(row, f"{place.id}/reviews/{review}", place, now)), at=at)


def _raws(row: Mapping[str, Any], key: str, place: Place, now: datetime) -> Iterator[Raw]:
    matters = digest_of(row.get("starRating"), original(text_of(row, "comment")))
    about = {"place": place.title}
    yield Raw(key=key, digest=matters, body=encode(row), media_type=JSON, received_at=now, context=about)
    if answer := inner(row, "reviewReply"):
        yield answer_to(key, answer, answer.get("comment"), now)


def original(comment: str) -> str:
    """Without the translation that Google puts behind the words, or before them."""
    before, marker, after = comment.partition(_TRANSLATED)
    if not marker:
        return comment.strip()
    translated, is_there, said = after.partition(_ORIGINAL)
    return before.strip() or (said if is_there else translated).strip()


def moment(text: str) -> datetime | None:
    """RFC 3339 with 0 to 9 digits of a second, "Z" or an offset; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
