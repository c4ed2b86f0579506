"""A page of reviews with the company's answers, as raws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from allears_sdk.codec import encode
from allears_sdk.errors import Unavailable
from allears_sdk.message import Raw
from allears_sdk.sweep import Listed, Page, digest_of, unreadable
from connectors._apple.reviews import JSON, moment
from connectors.app_store_connect.parse import ANSWER

Item = Mapping[str, Any]


def read_page(answer: Item, app: str, now: datetime) -> Page:
    """Raises Unavailable for what is no page."""
    rows = answer.get("data")
    if not isinstance(rows, list):
        raise Unavailable("App Store Connect's answer is not a list of reviews")
    included = answer.get("included")
    answers = {_id_of(one): one for one in included if isinstance(one, dict)} if isinstance(included, list) else {}
    items = [_listed(row, answers, app, now) for row in rows]
    following = _inner(answer, "links").get("next")
    return Page(items=items, next=following if isinstance(following, str) else "")


def _listed(row: Any, answers: Mapping[str, Item], app: str, now: datetime) -> Listed:
    review = _id_of(row)
    at = moment(_inner(row, "attributes").get("createdDate"))
    if not review or at is None:
        return unreadable(row, now, "a review without an id or a date")
    return Listed(raws=tuple(_raws(row, review, answers, app, now)), at=at)


def _raws(row: Item, review: str, answers: Mapping[str, Item], app: str, now: datetime) -> Iterator[Raw]:
    said = _inner(row, "attributes")
    matters = digest_of(*(said.get(name) for name in ("rating", "title", "body")))
    yield Raw(key=review, digest=matters, body=encode(row), media_type=JSON, received_at=now, context={"app": app})
    reply = answers.get(_id_of(_inner(_inner(_inner(row, "relationships"), "response"), "data")))
    if reply is not None:
        yield Raw(
            key=f"{ANSWER}{_id_of(reply)}",
            digest=digest_of(_inner(reply, "attributes").get("responseBody")),
            body=encode(reply),
            media_type=JSON,
            received_at=now,
            context={"review": review},
        )


def _id_of(item: Any) -> str:
    found = item.get("id") if isinstance(item, dict) else None
    return found if isinstance(found, str) else ""


def _inner(item: Any, name: str) -> Item:
    found = item.get(name) if isinstance(item, dict) else None
    return found if isinstance(found, dict) else {}
