"""One entry of the feed: as a raw, and as a message. Every value is `{"label": …}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from allears_sdk.codec import decode, encode
from allears_sdk.errors import BadMessage, Unavailable
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Visibility
from allears_sdk.sweep import Listed, digest_of, unreadable
from connectors._apple.reviews import BEST, JSON, moment
from connectors._apple.settings import AppStoreSettings, page_of, product_of

RATING = "im:rating"
_VERSION = "im:version"
_USER = re.compile(r"/id(\d+)$")

Entry = Mapping[str, Any]


def entries_of(answer: Any) -> list[Any]:
    """Of a feed: many, one (which then stands alone, not in a list) or none. The app itself is no review.

    Raises Unavailable for what is no feed.
    """
    feed = answer.get("feed") if isinstance(answer, dict) else None
    if not isinstance(feed, dict):
        raise Unavailable("Apple's answer is not a feed")
    found = feed.get("entry") or []
    rows = found if isinstance(found, list) else [found]
    return [row for row in rows if not isinstance(row, dict) or RATING in row]


def listed(entry: Any, app: str, country: str, now: datetime) -> Listed:
    review, said = label(entry, "id"), [label(entry, name) for name in (RATING, "title", "content")]
    if not review:
        return unreadable(entry, now, "an entry without an id", said)
    matters = digest_of(*said)
    context = {"app": app, "country": country}
    raw = Raw(key=review, digest=matters, body=encode(entry), media_type=JSON, received_at=now, context=context)
    return Listed(raws=(raw,), at=moment(label(entry, "updated")))


def read_entry(raw: Raw, settings: AppStoreSettings) -> Message:
    """Raises BadMessage."""
    try:
        entry = decode(raw.body, dict[str, Any])
    except ValueError as error:
        raise BadMessage(f"review {raw.key}: {error}") from None
    stars, author = label(entry, RATING), entry.get("author")
    if stars not in {str(number) for number in range(1, BEST + 1)}:
        raise BadMessage(f"review {raw.key}: no rating of 1 to {BEST}")
    app, country = str(raw.context.get("app") or ""), str(raw.context.get("country") or "")
    user = _USER.search(label(author, "uri"))
    return Message(
        text=label(entry, "content"),
        subject=label(entry, "title").strip(),
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        author=Author(id=user[1] if user else "", name=label(author, "name").strip()),
        posted_at=moment(label(entry, "updated")),
        rating=Rating(value=float(stars)),
        product=product_of(settings.name_of(app), version=label(entry, _VERSION), place=country.upper()),
        permalink=page_of(app, country),
        visibility=Visibility.PUBLIC,
    )


def label(item: Any, name: str) -> str:
    """The text under `name`; "" where there is none."""
    inner = item.get(name) if isinstance(item, dict) else None
    found = inner.get("label") if isinstance(inner, dict) else None
    return found if isinstance(found, str) else ""
