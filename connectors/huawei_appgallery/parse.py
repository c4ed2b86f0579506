"""A review → a message. Pure."""

from __future__ import annotations

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Kind, Message, Rating, Raw, Visibility
from connectors.huawei_appgallery.pages import AGAIN, moment
from connectors.huawei_appgallery.settings import HuaweiAppGallerySettings

BEST = 5
_SAYS_AGAIN = "[The customer wrote again below our answer / 顾客在我们的回复下再次留言: AppGallery Connect]"


class Review(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Numbers may come in quotes."""

    review_id: str | int
    rating: str | int
    dateline: str | int
    content: str | None = None
    lang: str | None = None
    country_code: str | None = None
    version_name: str | None = None


def parse(raw: Raw, settings: HuaweiAppGallerySettings) -> Message:
    """Raises BadMessage."""
    try:
        return _read(raw, decode(raw.body, Review), settings)
    except ValueError as error:
        raise BadMessage(f"review {raw.key}: {error}") from None


def _read(raw: Raw, said: Review, settings: HuaweiAppGallerySettings) -> Message:
    app, is_again = str(raw.context.get("app") or ""), raw.key.startswith(AGAIN)
    rating = int(said.rating)
    if not 1 <= rating <= BEST:
        raise ValueError(f"rated {rating}, not 1 to {BEST}")
    place = f"({said.country_code})" if said.country_code else ""
    return Message(
        text=_SAYS_AGAIN if is_again else (said.content or "").strip(),
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        thread=(str(said.review_id),) if is_again else (),
        posted_at=None if is_again else moment(said.dateline),
        rating=None if is_again else Rating(value=rating),
        product=" ".join(part for part in (settings.name_of(app), said.version_name, place) if part),
        permalink=f"https://appgallery.huawei.com/app/C{app}",
        visibility=Visibility.PUBLIC,
        language=(said.lang or "").replace("_", "-"),
    )
