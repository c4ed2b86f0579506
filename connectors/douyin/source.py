"""Videos and the comments under them, for reading that starts at the newest ("comment-list").

A video tells how many comments it has: while that stays, nothing new is there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Unavailable
from allears_sdk.posts import Found, Post
from allears_sdk.sweep import digest_of, raw_of, unreadable
from connectors.douyin.api import COMMENTS, REPLIES, VIDEOS, Api
from connectors.douyin.times import moment

VIDEOS_AT_ONCE, COMMENTS_AT_ONCE = 20, 50
MAX_KEPT = 5000
MOST_REFUSED = 3
COMMENT = "comment"
_LONG_AGO = datetime(2016, 1, 1, tzinfo=UTC)


class Videos:
    def __init__(self, api: Api, context: Context) -> None:
        self._api = api
        self._context = context
        self._counts: OrderedDict[str, tuple[Any, datetime]] = OrderedDict()
        """Of a video's comments, and when that was first so. After a restart all are looked into once."""
        self._replies: OrderedDict[str, Any] = OrderedDict()
        """How many of a comment's replies were read."""
        self._refused = 0
        """Videos in a row."""
        self._has_told = False

    async def posts(self, limit: int) -> AsyncGenerator[list[Post], None]:
        try:
            async with aclosing(self._api.pages(VIDEOS, VIDEOS_AT_ONCE)) as pages:
                async for rows in pages:
                    yield [post for row in rows if (post := self._post(row)) is not None]
        except Rejected as error:
            raise Unavailable(str(error), detail=error.detail) from None

    async def comments(self, post: Post, limit: int) -> AsyncGenerator[list[Found], None]:
        asked = {"item_id": post.id, "sort_type": "time"}
        try:
            async with aclosing(self._api.pages(COMMENTS, COMMENTS_AT_ONCE, **asked)) as pages:
                async for rows in pages:
                    found, read = [self._found(row, post, "") for row in rows], dict[str, Any]()
                    for row in rows:
                        found += await self._answers(row, post, read)
                    yield found
                    for comment, total in read.items():  # stored by now
                        _put(self._replies, comment, total)
        except Rejected as error:
            self._pass_over(error)
        else:
            self._refused = 0

    def _pass_over(self, error: Rejected) -> None:
        """A video that was deleted since it was listed, or is not for us, keeps us from no other."""
        self._refused += 1
        if self._refused >= MOST_REFUSED:
            raise Unavailable(str(error), detail=error.detail) from None
        self._context.log.warning("video_not_read", reason=str(error))

    def _post(self, row: Any) -> Post | None:
        video = str(row.get("item_id") or "") if isinstance(row, Mapping) else ""
        if not video:
            self._tell_unreadable()
            return None
        counted = row.get("statistics")
        count = counted.get("comment_count") if isinstance(counted, Mapping) else None
        facts = {"video": video, "link": str(row.get("share_url") or "")[:500]}
        return Post(
            id=video,
            created_at=None if row.get("is_top") else moment(row.get("create_time")),  # pinned ones stand first
            changed_at=self._changed_at(video, count),
            facts=facts,
        )

    def _tell_unreadable(self) -> None:
        """Once."""
        if not self._has_told:
            self._context.log.warning("video_unreadable", reason="a video without an id: its comments go unheard")
        self._has_told = True

    def _changed_at(self, video: str, count: Any) -> datetime | None:
        if count is None:
            return None
        if count == 0:
            self._counts.pop(video, None)
            return _LONG_AGO
        before = self._counts.get(video)
        if before is None or before[0] != count:
            _put(self._counts, video, (count, self._context.clock.now()))
        return self._counts[video][1]

    async def _answers(self, row: Any, post: Post, read: dict[str, Any]) -> list[Found]:
        """Replies, where there are others than were read; how many is noted in `read`."""
        comment = str(row.get("comment_id") or "") if isinstance(row, Mapping) else ""
        total = row.get("reply_comment_total") if comment else 0
        if not total or self._replies.get(comment) == total:
            return []
        found: list[Found] = []
        asked = {"item_id": post.id, "comment_id": comment, "sort_type": "time"}
        try:
            async with aclosing(self._api.pages(REPLIES, COMMENTS_AT_ONCE, **asked)) as pages:
                async for rows in pages:
                    found += [self._found(one, post, comment) for one in rows]
        except Rejected:  # deleted since it was listed
            return found
        read[comment] = total
        return found

    def _found(self, row: Any, post: Post, parent: str) -> Found:
        now = self._context.clock.now()
        comment = str(row.get("comment_id") or "") if isinstance(row, Mapping) else ""
        at = moment(row.get("create_time")) if comment else None
        if at is None:
            reason = "a comment without an id or a date"
            said = [str(row.get(name) or "") for name in ("content", "create_time")] if isinstance(row, Mapping) else []
            return Found(raw=unreadable(row, now, reason, said=(comment, *said)).raws[0], said_at=None)
        context = {"kind": COMMENT, **post.facts, **({"parent": parent} if parent else {})}
        raw = raw_of(f"c:{comment}", row, now, digest_of(row.get("content")), **context)
        return Found(raw=raw, said_at=at, is_pinned=bool(parent or row.get("top")))


def _put(kept: OrderedDict[str, Any], key: str, value: Any) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > MAX_KEPT:
        kept.popitem(last=False)
