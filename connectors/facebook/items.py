"""Comments, visitors' posts and recommendations as raws, the same ones whether delivered or read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from allears_sdk.codec import decode, encode, encode_stable
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex
from connectors._meta.envelope import JSON, Item
from connectors.facebook.payload import Feed

POSTS = frozenset({"post", "status", "photo", "video"})
EDITS = frozenset({"edited", "edit"})
HEARD = frozenset({"add", "remove", *EDITS})
REMOVED = "removed"
READ_BACK = "read_back"
"""Says of a raw that it was read, and not delivered."""


def delivered(item: Item, received_at: datetime) -> Raw | None:
    """None for what says nothing (reactions, hidden comments) and for the Page's own posts. Raises ValueError."""
    feed = decode(item.value, Feed)
    name, said = _name_of(feed, item.field), _said_in(feed)
    is_own_post = feed.item in POSTS and feed.from_ is not None and str(feed.from_.id) == item.account
    if not name or feed.verb not in HEARD or is_own_post:
        return None
    return Raw(
        key=name,
        digest=REMOVED if feed.verb == "remove" else _digest(said),
        body=item.body(),
        media_type=JSON,
        received_at=received_at,
        context={"is_first": True} if feed.verb == "add" else {},
    )


def listed(page: str, post: str, found: Mapping[str, Any], now: datetime) -> Raw:
    """A comment, or with its own id for `post` a visitor's post."""
    name = str(found.get("id") or "")
    key = f"{'post' if name == post else 'comment'}:{name}" if name else f"unread:{sha256_hex(encode_stable(found))}"
    body = encode({"page": page, "post": post, "comment": found})
    message = found.get("message")
    return Raw(
        key=key,
        digest=_digest([message if isinstance(message, str) else ""]),
        body=body,
        media_type=JSON,
        received_at=now,
        context={READ_BACK: True},
    )


def _name_of(feed: Feed, field: str) -> str:
    if feed.item == "comment" and feed.comment_id:
        return f"comment:{feed.comment_id}"
    if feed.item == "rating" or field == "ratings":
        story = (
            feed.open_graph_story_id or feed.post_id or (feed.reviewer_id and f"{feed.reviewer_id}_{feed.created_time}")
        )
        return f"rating:{story}" if story and feed.comment_id == "" else ""
    return f"post:{feed.post_id}" if feed.item in POSTS and feed.post_id else ""


def _said_in(feed: Feed) -> list[object]:
    """What matters in it: of a picture only the words, since its address is another each time."""
    if feed.recommendation_type or feed.review_text or feed.rating:
        return [feed.recommendation_type, feed.review_text, feed.rating]
    return [feed.message or ""]


def _digest(said: list[object]) -> str:
    return sha256_hex(encode_stable(said))
