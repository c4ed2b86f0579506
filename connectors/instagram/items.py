"""Comments and mentions as raws, the same ones whether delivered or read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from allears_sdk.codec import decode, encode, encode_stable
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex
from connectors._meta.envelope import JSON, Item
from connectors.instagram.payload import Comment, Mention

COMMENTS = frozenset({"comments", "live_comments"})
MENTIONS = "mentions"
READ_BACK = "read_back"
"""Says of a raw that it was read, and not delivered."""


def comment(item: Item, received_at: datetime) -> Raw:
    """Raises ValueError. A comment cannot be edited: whoever tells of it first is believed."""
    name = decode(item.value, Comment).id
    return Raw(key=f"comment:{name}", body=item.body(), media_type=JSON, received_at=received_at)


def mention(item: Item, received_at: datetime) -> Raw:
    """It tells where, not what: that is read afterwards, as another state of the same raw. Raises ValueError."""
    return Raw(key=mention_key(decode(item.value, Mention)), body=item.body(), media_type=JSON, received_at=received_at)


def mention_key(told: Mention) -> str:
    return f"mention:{told.comment_id or told.media_id}"


def listed(account: str, media: str, permalink: str, found: Mapping[str, Any], now: datetime) -> Raw:
    name = str(found.get("id") or "")
    body = encode({"account": account, "media": media, "permalink": permalink, "comment": found})
    key = f"comment:{name}" if name else f"unread:{sha256_hex(encode_stable(found))}"
    return Raw(key=key, body=body, media_type=JSON, received_at=now, context={READ_BACK: True})


def read_mention(account: str, told: Mention, found: Mapping[str, Any], now: datetime) -> Raw:
    body = encode({"account": account, "media": str(told.media_id), "mention": found})
    said = [found.get(name) for name in ("text", "caption")]
    return Raw(
        key=mention_key(told),
        digest=sha256_hex(encode_stable(said)),
        body=body,
        media_type=JSON,
        received_at=now,
        context={READ_BACK: True},
    )
