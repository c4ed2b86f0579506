"""The walk through a mini-program's transaction reviews ("查询评价列表", "查询评价详情").

Pages are counted from an offset in a span of time that is closed before it is read, and spans overlap: what vanishes
from a list while it is read makes the rest move up, and the next walk finds what was stepped over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from allears_sdk.connector import Batch, Cursor
from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Unavailable
from allears_sdk.message import Raw
from connectors._wechat.api import WechatApi
from connectors.wechat_mini.review import key_of, raw_of

LIST = "/wxaapi/comment/mpcommentlist/get"
DETAIL = "/wxaapi/comment/commentinfo/get"
FILTERS = {"bad": 1, "unsettled": 3, "all": 6}
CHANGED = 5
PAGE_ITEMS = 20
CLOSED_SECONDS = 60
OVERLAP_SECONDS = 86_400
CHANGED_SECONDS = 30 * 86_400
"""So long after it was written a review is watched for a change."""


class Reviews:
    """`which` is one of FILTERS."""

    def __init__(self, api: WechatApi, context: Context, which: str, look_back: timedelta) -> None:
        self._api = api
        self._context = context
        self._filter = FILTERS[which]
        self._look_back_seconds = int(look_back.total_seconds())

    async def count(self) -> int:
        """Of those in reach of a first run."""
        end = self._now()
        page = await self._page(end - self._look_back_seconds, end, self._filter, 0, 1)
        return int(page.get("total") or 0)

    async def walk(self, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        if comment := str(hint.get("comment_id") or ""):
            yield Batch(raws=await self._named(comment))
        end = self._now() - CLOSED_SECONDS
        since = int(cursor["until"]) - OVERLAP_SECONDS if cursor else end - self._look_back_seconds
        spans = ((CHANGED, min(since, end - CHANGED_SECONDS)), (self._filter, since))
        for which, start in spans:
            async for items in self._pages(start, end, which, min(limit, PAGE_ITEMS)):
                yield Batch(raws=await self._raws(items, is_changed=which == CHANGED))
        yield Batch(cursor={"version": 1, "until": end})

    async def _pages(self, start: int, end: int, which: int, limit: int) -> AsyncIterator[Sequence[dict[str, Any]]]:
        offset = 0
        while True:
            page = await self._page(start, end, which, offset, limit)
            items = [item for item in page["commentList"] if isinstance(item, dict)]
            if items:
                yield items
            offset += len(page["commentList"])
            if not page["commentList"] or offset >= int(page.get("total") or 0):
                return

    async def _page(self, start: int, end: int, which: int, offset: int, limit: int) -> Mapping[str, Any]:
        page = await self._api.get(
            LIST, startTime=str(start), endTime=str(end), filterType=which, offset=offset, limit=limit
        )
        found = page.get("commentList") or []
        if not isinstance(found, list):
            raise Unavailable("the list of reviews is not what the platform documents")
        return {**page, "commentList": found}

    async def _raws(self, items: Sequence[dict[str, Any]], *, is_changed: bool) -> list[Raw]:
        now = self._context.clock.now()
        if not is_changed:
            return [raw_of(item, now) for item in items]
        known = await self._context.known([key_of(item) for item in items])
        return [raw_of(item, now, None if key_of(item) in known else await self._old(item)) for item in items]

    async def _old(self, item: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What a changed review replaces; the list does not tell."""
        try:
            detail = await self._api.get(DETAIL, commentId=str(item.get("commentId") or ""))
        except Rejected:  # deleted meanwhile: what the list said of it stays
            return None
        old = detail.get("oldComment")
        return old if isinstance(old, dict) else None

    async def _named(self, comment: str) -> list[Raw]:
        """The one a push told of: too new for the list."""
        try:
            detail = await self._api.get(DETAIL, commentId=comment)
        except Rejected:
            return []
        info, old = detail.get("info"), detail.get("oldComment")
        item = info.get("content") if isinstance(info, dict) else None
        if not isinstance(item, dict):
            return []
        return [raw_of(item, self._context.clock.now(), old if isinstance(old, dict) else None)]

    def _now(self) -> int:
        return int(self._context.clock.now().timestamp())
