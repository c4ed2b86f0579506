"""A row of the feedback report, or a topic → a message. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Role, Visibility
from connectors.amazon.marketplaces import CODES, MARKETPLACES, Marketplace, read_date
from connectors.amazon.rows import ANSWER, Row
from connectors.amazon.settings import AmazonSettings
from connectors.amazon.topics import TOPIC, snippets_of

BEST = 5
_SUMMARY = "[Amazon's summary of reviews, not one customer's words / 亚马逊对评论的汇总，并非某位顾客的原话]"


def parse(raw: Raw, settings: AmazonSettings) -> Message:
    """Raises BadMessage."""
    read = _topic if raw.key.startswith(TOPIC) else _feedback
    try:
        return read(raw, _market(raw), settings)
    except ValueError as error:
        raise BadMessage(f"Amazon {raw.key}: {error}") from None


def _market(raw: Raw) -> Marketplace:
    code = raw.context.get("marketplace")
    found = next((MARKETPLACES[known] for known in CODES if known == code), None)
    if found is None:
        raise ValueError("of no marketplace")
    return found


def _feedback(raw: Raw, market: Marketplace, settings: AmazonSettings) -> Message:
    parts = decode(raw.body, Row).parts(settings.columns)
    order = parts["order"]
    page = f"https://www.{market.domain}/sp?seller={settings.seller}"
    if raw.key.startswith(ANSWER):
        return Message(
            text=parts.get("response", ""),
            external_id=raw.key,
            thread=(str(raw.context.get("key") or raw.key.removeprefix(ANSWER)),),
            author=Author(role=Role.COMPANY),
            order=order,
            visibility=Visibility.PUBLIC,
        )
    email = parts.get("email", "").lower()
    return Message(
        text=parts.get("comments", ""),
        external_id=raw.key,
        kind=_kind(raw),
        author=Author(id=email, email=email if "@" in email else ""),
        posted_at=read_date(parts.get("date", ""), market),
        rating=Rating(value=_stars(parts.get("rating", ""))),
        order=order,
        permalink=page,
        visibility=Visibility.PUBLIC,
    )


def _kind(raw: Raw) -> Kind:
    return Kind.EDITED if raw.ordinal > 1 else Kind.SAID


def _stars(text: str) -> int:
    if text not in {str(stars) for stars in range(1, BEST + 1)}:
        raise ValueError(f"rated {text[:40]!r}, not 1 to {BEST}: are its columns other ones? See `columns`")
    return int(text)


def _topic(raw: Raw, market: Marketplace, settings: AmazonSettings) -> Message:
    topic = decode(raw.body, dict[str, Any])
    asin = str(raw.context.get("asin") or "")
    said = [f"“{one}”" for one in snippets_of(topic)]
    return Message(
        text="\n".join([_SUMMARY, _headline(topic), *said]),
        external_id=raw.key,
        kind=_kind(raw),
        subject=str(topic.get("topic") or "").strip(),
        product=settings.products.get(asin) or str(raw.context.get("item") or "") or asin,
        permalink=f"https://www.{market.domain}/product-reviews/{asin}",
        visibility=Visibility.PUBLIC,
        is_automatic=not settings.file_topics,
        automatic_reason="" if settings.file_topics else "Amazon's summary of reviews",
    )


def _headline(topic: Mapping[str, Any]) -> str:
    metrics = topic.get("asinMetrics")
    known = metrics if isinstance(metrics, dict) else {}
    mentions, impact = known.get("numberOfMentions"), known.get("starRatingImpact")
    facts = [
        f"{mentions} mentions / 提及 {mentions} 次" if isinstance(mentions, int) else "",
        f"{impact:+g} stars / 星级影响 {impact:+g}" if isinstance(impact, int | float) else "",
    ]
    about = ", ".join(fact for fact in facts if fact)
    name = str(topic.get("topic") or "").strip()
    return f"{name} ({about})" if about else name
