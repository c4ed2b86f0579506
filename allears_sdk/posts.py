"""Reading comments under posts: posts from the newest, and under each what was said since the last walk.

Where deliveries bring everything at once, this finds what they missed. Cursors of pages live for a while only, so a
walk that was cut short begins again, stepping over the posts that it has finished.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from allears_sdk.connector import Batch, Cursor
from allears_sdk.context import Context
from allears_sdk.message import Raw

OVERLAP = timedelta(minutes=30)
LOOK_BACK = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A comment or a visitor's post."""

    raw: Raw
    said_at: datetime | None
    is_pinned: bool = False
    """It stands above newer ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    id: str
    created_at: datetime | None
    changed_at: datetime | None
    """None where the platform does not tell: it is then always looked into."""
    facts: dict[str, Any]
    """Whatever `Source.comments` has use for."""
    own: Sequence[Found] = ()
    """What it says itself, where a customer wrote it."""


class Source(Protocol):
    def posts(self, limit: int) -> AsyncGenerator[list[Post], None]:
        """Pages from the newest back."""

    def comments(self, post: Post, limit: int) -> AsyncGenerator[list[Found], None]:
        """Pages from the newest back."""


class Walk:
    """`posts`: younger posts are looked into. `sweep`: how often all their comments are read again, for edits."""

    def __init__(
        self, source: Source, context: Context, *, look_back: timedelta | None, posts: timedelta, sweep: timedelta
    ) -> None:
        self._source = source
        self._context = context
        self._look_back = LOOK_BACK if look_back is None else look_back
        self._posts = posts
        self._sweep = sweep
        self._finished: dict[str, datetime | None] = {}
        """Posts that the walk under way is done with, with the change that it saw."""
        self._began: datetime | None = None
        """When that walk first set out: what was said since in a finished post is the next one's."""

    async def batches(self, cursor: Cursor | None, limit: int) -> AsyncIterator[Batch]:
        """The cursor moves with the last batch alone."""
        now = self._context.clock.now()
        began = self._began = self._began or now
        first = _at(cursor, "first") or now - self._look_back
        since = (_at(cursor, "until") or first) - OVERLAP
        swept = _at(cursor, "swept")
        sweeps = swept is None or now - swept >= self._sweep
        async with aclosing(self._due(now, since, sweeps=sweeps, limit=limit)) as posts:
            async for post in posts:
                for found in _portions(list(post.own), limit):
                    yield Batch(raws=_raws(found, first), more=True)
                async with aclosing(self._comments(post, None if sweeps else since, limit)) as pages:
                    async for page in pages:
                        for found in _portions(page, limit):
                            yield Batch(raws=_raws(found, first), more=True)
                self._finished[post.id] = post.changed_at
        self._finished.clear()
        self._began = None
        yield Batch(cursor=_cursor(first, began, began if sweeps or swept is None else swept))

    async def _due(self, now: datetime, since: datetime, *, sweeps: bool, limit: int) -> AsyncGenerator[Post, None]:
        async with aclosing(self._source.posts(limit)) as pages:
            async for page in pages:
                for post in page:
                    if post.created_at and post.created_at < now - self._posts:
                        return
                    is_done = post.id in self._finished and self._finished[post.id] == post.changed_at
                    is_quiet = post.changed_at is not None and post.changed_at < since
                    if not is_done and (sweeps or not is_quiet):
                        yield post

    async def _comments(self, post: Post, since: datetime | None, limit: int) -> AsyncGenerator[list[Found], None]:
        async with aclosing(self._source.comments(post, limit)) as pages:
            async for page in pages:
                yield page
                times = [one.said_at for one in page if one.said_at and not one.is_pinned]
                if since is not None and times and min(times) < since:
                    return


def _portions(found: list[Found], limit: int) -> list[list[Found]]:
    return [found[start : start + limit] for start in range(0, len(found), limit)]


def _raws(found: Sequence[Found], first: datetime) -> list[Raw]:
    """What is older than a first run reads is known from now on, and not filed."""
    return [replace(one.raw, baseline=True) if one.said_at and one.said_at < first else one.raw for one in found]


def _at(cursor: Cursor | None, name: str) -> datetime | None:
    return datetime.fromisoformat(cursor[name]) if cursor else None


def _cursor(first: datetime, until: datetime, swept: datetime) -> Cursor:
    times = {"first": first, "until": until, "swept": swept}
    return {"version": 1, **{name: at.isoformat() for name, at in times.items()}}
