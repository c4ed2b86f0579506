"""One transaction review: as a raw, and as a message ("交易评价-评价管理接口")."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from allears_sdk.codec import encode, encode_stable
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Rating, Raw, Ref, Visibility
from allears_sdk.signing import sha256_hex
from connectors._wechat.channel import JSON
from connectors._wechat.fields import Fields, read_json
from connectors._wechat.said import moment

PREFIX = "review:"
"""Begins the ids of reviews: those of chat messages are numbers alone."""
_OLD = "oldComment"
_POINTS_PER_STAR = 100


def key_of(item: Mapping[str, Any]) -> str:
    return PREFIX + (Fields(item).word("commentId") or sha256_hex(encode_stable(item)))


def raw_of(item: Mapping[str, Any], now: datetime, old: Mapping[str, Any] | None = None) -> Raw:
    """`old`: the review that this one replaces. New when words, stars or pictures have changed."""
    fields = Fields(item)
    said = fields.inner("content")
    media = [urlsplit(address).path for one in said.each("media") for address in _addresses(one)]
    matters = sha256_hex(encode_stable([said.text("txt"), fields.word("score"), media]))
    body = encode({**item, _OLD: old} if old else item)
    return Raw(key=key_of(item), digest=matters, body=body, media_type=JSON, received_at=now)


def read_review(raw: Raw) -> Message:
    """A changed review has an id of its own and names the old one: it is that one's edit. Raises BadMessage."""
    try:
        fields = read_json(raw.body)
    except ValueError as error:
        raise BadMessage(f"{raw.key}: {error}") from None
    old = fields.inner(_OLD).word("commentId")
    is_changed = bool(old) and old != fields.word("commentId")
    user, stars = fields.inner("userInfo"), _stars(fields.word("score"))
    if not user.word("openid") and stars is None:
        raise BadMessage(f"{raw.key}: neither a user nor a score")
    return Message(
        text=fields.inner("content").text("txt"),
        external_id=PREFIX + old if is_changed else raw.key,
        revision=raw.key if is_changed else "",
        known_as=(raw.key,) if is_changed else (),
        kind=Kind.EDITED if is_changed or raw.ordinal > 1 else Kind.SAID,
        author=Author(id=user.word("openid"), name=user.text("nickName").strip()),
        posted_at=moment(fields.word("createTime")),
        rating=None if stars is None else Rating(value=stars),
        product="、".join(one.text("name").strip() for one in fields.inner("productInfo").each("productList")),
        order=fields.inner("orderInfo").word("busiOrderId") or fields.word("wxPayId") or fields.word("orderId"),
        attachments=_attachments(fields.inner("content")),
        visibility=Visibility.PUBLIC,
    )


def _stars(score: str) -> float | None:
    return int(score) / _POINTS_PER_STAR if score.isascii() and score.isdecimal() and len(score) < 6 else None


def _attachments(content: Fields) -> tuple[Attachment, ...]:
    found = []
    for one in content.each("media"):
        is_video = bool(one.word("video"))
        for address in _addresses(one):
            kind, media_type = ("video", "video/mp4") if is_video else ("image", "image/jpeg")
            found.append(Attachment(name="", title=kind, media_type=media_type, ref=Ref(locator={"url": address})))
    return tuple(found)


def _addresses(media: Fields) -> tuple[str, ...]:
    address = media.word("video") or media.word("img")
    return (address,) if address.startswith(("https://", "http://")) else ()
