"""Reading a list of posts from the newest down to when it was last read; each page is paid for once.

Where reading stands is kept with each page, so that neither a crash nor an empty purse has to begin again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from allears_sdk.codec import convert, encode, encode_stable, plain
from allears_sdk.connector import Batch, Cursor, Gap
from allears_sdk.context import Context
from allears_sdk.errors import Unavailable
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex
from connectors.x.api import Api, Posts, Source

OVERLAP = timedelta(minutes=10)
"""A post may be listed late; read again on the same day it costs nothing."""
MARGIN = timedelta(minutes=1)
"""A question about all of a window would be about more than all of it when it arrives."""
LEAST_AGE = timedelta(seconds=30)
"""X refuses to start at a moment that is hardly over."""
PATIENCE = timedelta(hours=6)
"""A walk that rested longer may find less than it was promised."""
EPOCH_MS = 1_288_834_974_657
JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where reading stands."""

    version: int = 1
    since: datetime
    """Everything up to here is stored."""
    asked: datetime | None = None
    """When the walk under way began; none: there is none."""
    below: str = ""
    """The post it has come down to."""
    count: int = 0
    """Posts it has met."""


class Walk:
    """One stream."""

    def __init__(self, api: Api, context: Context, source: Source, look_back: timedelta) -> None:
        self._api = api
        self._context = context
        self._source = source
        self._look_back = look_back

    async def batches(self, cursor: Cursor | None, limit: int) -> AsyncIterator[Batch]:
        """At most `limit` raws in each."""
        now = self._context.clock.now()
        place = convert(dict(cursor), Place) if cursor is not None else self._beginning(now)
        if cursor is None:  # fixed before anything can fail
            yield Batch(cursor=_dump(place), more=True)
        while (lost := self._lost(place, now)) is not None:
            gap, place = lost
            yield Batch(cursor=_dump(place), gaps=(gap,), more=True)
        place = place if place.asked else replace(place, asked=now)
        is_over = False
        while not is_over:
            page = await self._api.posts(self._source, start=self._start(place, now), below=place.below)
            raws = [_raw(row, now) for row in page.rows]
            gaps, place, is_over = self._after(place, page, now)
            for start in range(0, len(raws) - limit, limit):
                yield Batch(raws=raws[start : start + limit], more=True)
            rest = raws[max(0, (len(raws) - 1) // limit * limit) :]
            yield Batch(raws=rest, cursor=_dump(place), gaps=gaps, more=not is_over)

    def _beginning(self, now: datetime) -> Place:
        return Place(since=max(now - self._look_back, self._earliest(now) or now - self._look_back))

    def _earliest(self, now: datetime) -> datetime | None:
        return now - self._source.window + MARGIN if self._source.window else None

    def _start(self, place: Place, now: datetime) -> datetime:
        start = min(place.since - OVERLAP, now - LEAST_AGE)
        return max(start, self._earliest(now) or start)

    def _lost(self, place: Place, now: datetime) -> tuple[Gap, Place] | None:
        """What is older than the list gives, and was not read: nobody read, or there was no money."""
        earliest = self._earliest(now)
        if earliest is None or place.since >= earliest:
            return None
        reached = moment_of(place.below) if place.below else now
        if reached <= earliest:  # of the walk that was under way, nothing is left
            return _gap(place, reached), Place(since=place.asked or earliest)
        return _gap(place, earliest), replace(place, since=earliest)

    def _after(self, place: Place, page: Posts, now: datetime) -> tuple[tuple[Gap, ...], Place, bool]:
        """Where reading stands behind the page, what is lost, and whether the walk is over."""
        ids = [post for row in page.rows if is_id(post := _id_of(row))]
        count = place.count + len(page.rows)
        if page.has_more and page.rows:
            if not ids:
                raise Unavailable("a page of posts without ids: not as X documents it")
            return (), replace(place, below=min(ids, key=int), count=count), False
        is_cut = self._source.reach and (count >= self._source.reach or self._is_stale(place, page, now))
        last = min([*ids, *filter(None, [place.below])], key=int, default="")
        gaps = (_gap(place, moment_of(last)),) if is_cut and last else ()
        return gaps, Place(since=place.asked or place.since), True

    @staticmethod
    def _is_stale(place: Place, page: Posts, now: datetime) -> bool:
        """There was more below, long ago; it has been pushed out by what is newer."""
        return not page.rows and bool(place.below) and now - (place.asked or now) > PATIENCE


def _raw(row: Mapping[str, Any], now: datetime) -> Raw:
    """A post never changes: an edit is another post."""
    post = _id_of(row)
    if is_id(post):
        return Raw(key=post, body=encode(row), media_type=JSON, received_at=now)
    key = f"unread:{sha256_hex(encode_stable(row['post']))}"
    return Raw(key=key, body=encode(row), media_type=JSON, received_at=now, quarantine="a post without an id")


def _id_of(row: Mapping[str, Any]) -> str:
    post = row["post"]
    return str(post.get("id")) if isinstance(post, dict) else ""


def is_id(post: str) -> bool:
    return post.isascii() and post.isdigit() and len(post) <= 19


def moment_of(post: str) -> datetime:
    """An id tells when it was made, in milliseconds since X's own epoch."""
    return datetime.fromtimestamp(((int(post) >> 22) + EPOCH_MS) / 1000, UTC)


def _gap(place: Place, until: datetime) -> Gap:
    return Gap(since=min(place.since, until), until=until, reason="X gives no more of what was said then")


def _dump(place: Place) -> Mapping[str, Any]:
    shown: Mapping[str, Any] = plain(place)
    return shown
