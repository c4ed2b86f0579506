"""Pages of posts, comments and messages, newest first ("Listings")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Unavailable
from allears_sdk.sweep import Listed, Page, digest_of, raw_of, unreadable
from connectors.reddit.api import Api

PAGE_ITEMS = 100
MOST_ITEMS = 1000
NEARLY_ALL = 900
"""Reddit lists no more than the newest thousand, less what was taken down; so many may be all that it gives."""
NAMES = ("t1_", "t3_")
"""Of posts and comments: what may be asked for by name."""
ASKED_FOR = timedelta(hours=1)
"""What has vanished is asked for so long: an answer may be lost, or the page it goes with not be stored."""
DELETED_BY_AUTHOR = frozenset({"deleted", "author"})


class Listing:
    """One of them. `asked` is what it is asked for besides the page; `is_search`: an empty answer means nothing."""

    def __init__(self, api: Api, context: Context, path: str, *, is_search: bool = False, **asked: str) -> None:
        self._api = api
        self._context = context
        self.path = path
        self.is_search = is_search
        self._asked = asked
        self._top: dict[str, float] = {}
        """Names at the top of a community when it was last read, and when they were written."""
        self._missing: dict[str, datetime] = {}
        """Names that vanished from there, and until when they are asked for."""

    async def page(self, position: str, items: int = PAGE_ITEMS) -> Page:
        """`position`: the name of the last item above, and how many there are. Raises Rejected when that was deleted:
        nothing is listed below it any more."""
        after, _, above = position.partition(":")
        answer = await self._api.get(self.path, **self._asked, limit=items, after=after, count=above)
        rows, following = _children(answer)
        if after and not rows and await self._is_gone(after):
            raise Rejected("the post by which the pages go on was deleted meanwhile")
        count = int(above or 0) + len(rows)
        if not after and self.path.startswith("/r/") and items == PAGE_ITEMS:
            rows += await self._vanished(rows)
        listed = [self._listed(row) for row in rows]
        is_whole = count < NEARLY_ALL and (self.is_search or count > 0)
        return Page(items=listed, next=f"{following}:{count}" if following else "", is_whole=is_whole)

    async def _vanished(self, rows: Sequence[Any]) -> list[Any]:
        """What was there and is listed no more, as it is now: a list leaves out what was deleted, without a word."""
        now, before, self._top = self._context.clock.now(), self._top, dict(_written(rows))
        oldest = min(self._top.values(), default=0.0)
        self._missing |= {name: now + ASKED_FOR for name, at in before.items() if at >= oldest}
        self._missing = {one: until for one, until in self._missing.items() if until > now and one not in self._top}
        names, found = list(self._missing), list[Any]()
        for start in range(0, len(names), PAGE_ITEMS):
            asked = ",".join(names[start : start + PAGE_ITEMS])
            found += _children(await self._api.get("/api/info", id=asked))[0]
        return found

    async def _is_gone(self, name: str) -> bool:
        if not name.startswith(NAMES):
            return False
        rows, _ = _children(await self._api.get("/api/info", id=name))
        data = _data(rows[0]) if rows else {}
        return not data or data.get("author") == "[deleted]" or data.get("removed_by_category") is not None

    def _listed(self, row: Any) -> Listed:
        now, data = self._context.clock.now(), _data(row)
        name, at = data.get("name"), _moment(data.get("created_utc"))
        if not isinstance(name, str) or not name or at is None:
            return unreadable(row, now, "an item without a name or a date", [str(name or "")])
        is_deleted = data.get("removed_by_category") in DELETED_BY_AUTHOR
        matters = digest_of(*(data.get(field) for field in ("title", "selftext", "body")), is_deleted)
        return Listed(raws=(raw_of(name, row, now, matters),), at=at)


def _children(answer: Mapping[str, Any]) -> tuple[list[Any], str]:
    data = answer.get("data")
    rows = data.get("children") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(rows, list):
        raise Unavailable("Reddit's answer is not a listing")
    following = data.get("after")
    return rows, following if isinstance(following, str) else ""


def _data(row: Any) -> Mapping[str, Any]:
    data = row.get("data") if isinstance(row, dict) else None
    return data if isinstance(data, dict) else {}


def _written(rows: Sequence[Any]) -> Iterator[tuple[str, float]]:
    for data in map(_data, rows):
        name, at = data.get("name"), _moment(data.get("created_utc"))
        if isinstance(name, str) and name.startswith(NAMES) and at is not None:
            yield name, at.timestamp()


def _moment(seconds: object) -> datetime | None:
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
