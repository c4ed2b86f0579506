"""What a page of a list holds, where reading stands, and what follows from the two: plain values, no network."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from allears_sdk.codec import convert, encode, encode_stable, plain
from allears_sdk.connector import Cursor
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    raws: tuple[Raw, ...]
    """The item with its digest, and what hangs on it (the company's answer)."""
    at: datetime | None
    """What the list is ordered by: when it was written, or changed. Aware."""


def raw_of(key: str, item: Any, now: datetime, digest: str = "", /, **context: Any) -> Raw:
    """An item as JSON."""
    return Raw(
        key=key, digest=digest, body=encode(item), media_type="application/json", received_at=now, context=context
    )


def unreadable(item: Any, now: datetime, reason: str, said: Sequence[str] = ()) -> Listed:
    """An item that is none: kept as it is, for a person. `said`: what to know it by, where it says something, for
    counts change daily."""
    raw = raw_of(sha256_hex(encode_stable(said if any(said) else item)), item, now)
    return Listed(raws=(replace(raw, quarantine=reason),), at=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    items: Sequence[Listed]
    next: str = ""
    """Where the next page is; "" behind the last."""
    is_whole: bool = True
    """Of a last page: nothing older is there. False: the source gives no more, though there may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where reading stands."""

    version: int = 1
    newest: datetime | None = None
    """Of what is stored; the top was read down to there."""
    floor: datetime | None = None
    """What is older and unknown is baseline; none: all there was has been seen."""
    swept: datetime | None = None
    """When the last sweep ended; none: the first has not."""
    position: str = ""
    """The next page of the sweep under way; "": there is none under way."""
    pages: int = 0
    """Read in it."""
    read: datetime | None = None
    """When the top was last read, for sources that give a span of time."""


def load(cursor: Cursor) -> Place:
    return convert(dict(cursor), Place)


def dump(place: Place) -> Mapping[str, Any]:
    shown: Mapping[str, Any] = plain(place)
    return shown


def ends(page: Page) -> tuple[datetime, ...]:
    times = [item.at for item in page.items if item.at is not None]
    return (max(times), min(times)) if times else ()


def portions(page: Page, place: Place, known: Collection[str], limit: int) -> Iterator[Sequence[Raw]]:
    raws = [
        replace(raw, baseline=True) if is_baseline(item, place, known) else raw
        for item in page.items
        for raw in item.raws
    ]
    for start in range(0, len(raws), limit):
        yield raws[start : start + limit]


def is_baseline(item: Listed, place: Place, known: Collection[str]) -> bool:
    if item.raws[0].key in known or item.raws[0].quarantine:
        return False
    return place.swept is None if item.at is None else place.floor is not None and item.at < place.floor


def is_below(horizon: datetime, page: Page, place: Place, known: Collection[str], *, is_strict: bool) -> bool:
    """Whether there can be no news further down. `is_strict`: below a single old one there is none."""
    if is_strict:
        return any(item.at is not None and item.at < horizon for item in page.items)
    return bool(page.items) and all(
        (item.raws[0].key in known or is_baseline(item, place, known)) and (item.at is None or item.at < horizon)
        for item in page.items
    )


def lowered(floor: datetime | None, page: Page, *, is_ordered: bool) -> datetime | None:
    """Below what was read in order nothing is known; of a list in no order the whole has to be read first."""
    if floor is None or (not page.next and page.is_whole):
        return None
    return min((floor, *ends(page))) if is_ordered else floor


def digest_of(*said: object) -> str:
    """Of what matters in an item: its rating, title and text; no counts, no signed addresses."""
    return sha256_hex(encode_stable(said))
