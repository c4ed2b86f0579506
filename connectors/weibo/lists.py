"""One list, newest first, by `max_id`: what is written while it is read moves nothing ("comments/to_me").

Weibo leaves out what was deleted or is hidden, so a short page is not the last one; the count of the whole list, or an
empty page, tells the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import Unavailable
from allears_sdk.sweep import Listed, Page, digest_of, raw_of, unreadable
from connectors.weibo.api import Api
from connectors.weibo.times import read_time

PAGE_ITEMS = 50
POST, COMMENT = "s", "c"
"""Before a key: posts and comments have numbers of their own."""


class WeiboList:
    def __init__(self, api: Api, context: Context, path: str, kind: str) -> None:
        self._api = api
        self._context = context
        self._path = path
        self._kind = kind
        self._field = "statuses" if kind == POST else "comments"

    async def page(self, position: str) -> Page:
        """A position: the highest number, which page below it, and how many items are above."""
        max_id, page, seen = (int(part) for part in (position or "0:1:0").split(":"))
        asked = {"count": PAGE_ITEMS, "page": page, **({"max_id": max_id} if max_id else {})}
        answer = await self._api.get(self._path, **asked)
        rows, total = self._rows(answer), answer.get("total_number") if isinstance(answer, dict) else None
        seen += len(rows)
        is_whole = isinstance(total, int) and seen >= total
        is_last = not rows or (is_whole and len(rows) < PAGE_ITEMS)
        lowest = min((int(number) for row in rows if (number := number_of(row))), default=0)
        following = f"{lowest - 1}:1:{seen}" if lowest > 1 else f"{max_id}:{page + 1}:{seen}"
        now = self._context.clock.now()
        return Page(
            items=[_listed(row, self._kind, now) for row in rows],
            next="" if is_last else following,
            is_whole=is_whole,
        )

    def _rows(self, answer: Any) -> Sequence[Any]:
        """An empty list is sometimes nothing but `[]`."""
        rows = answer.get(self._field) if isinstance(answer, dict) else answer
        if not isinstance(rows, list) or (rows and rows is answer):
            raise Unavailable(f"{self._path}: the answer is not a list of {self._field}")
        return rows


def number_of(row: Any) -> str:
    """Of a post or comment; "" where it has none."""
    found = (row.get("idstr") or row.get("id") or row.get("mid")) if isinstance(row, Mapping) else ""
    number = str(found)
    return number if number.isascii() and number.isdigit() and len(number) < 25 else ""


def _listed(row: Any, kind: str, now: datetime) -> Listed:
    number, at = number_of(row), read_time(row.get("created_at")) if isinstance(row, Mapping) else None
    if not number or at is None:
        said = [str(row.get(name) or "") for name in ("text", "created_at")] if isinstance(row, Mapping) else []
        return unreadable(row, now, "an item without a number or a date", said=(number, *said))
    raw = raw_of(f"{kind}:{number}", row, now, digest_of(row.get("text"), _is_deleted(row)), kind=kind)
    return Listed(raws=(raw,), at=at)


def _is_deleted(row: Mapping[str, Any]) -> bool:
    return str(row.get("deleted") or "0") not in ("0", "False", "false")
