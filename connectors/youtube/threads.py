"""Pages of comment threads, with all their replies ("CommentThreads: list", "Comments: list").

A thread lists some of its replies only; the rest is asked for where there are more, and kept while none is added.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from allears_sdk.codec import encode, encode_stable
from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Unavailable
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex
from allears_sdk.sweep import Listed, Page, digest_of, unreadable
from connectors._google.reviews import JSON, inner, text_of
from connectors.youtube.api import Api

PAGE_ITEMS = 100
MAX_KEPT = 500
HELD = "heldForReview"


class Threads:
    """One list: those that everybody sees, or those held for review."""

    def __init__(self, api: Api, context: Context, channel: str, moderation: str = "") -> None:
        self._api = api
        self._context = context
        self._asked = {"part": "snippet,replies", "allThreadsRelatedToChannelId": channel, "order": "time"}
        self._asked |= {"textFormat": "plainText", "moderationStatus": moderation}
        self._replies: OrderedDict[str, tuple[int, list[Any]]] = OrderedDict()

    async def page(self, position: str, items: int = PAGE_ITEMS) -> Page:
        answer = await self._api.get("commentThreads", **self._asked, maxResults=items, pageToken=position)
        listed = [await self._listed(row) for row in _items(answer)]
        return Page(items=listed, next=text_of(answer, "nextPageToken"))

    async def _listed(self, row: Any) -> Listed:
        now, snippet = self._context.clock.now(), inner(row, "snippet")
        top = inner(snippet, "topLevelComment")
        thread, at = text_of(top, "id"), _moment(inner(top, "snippet").get("publishedAt"))
        if not thread or at is None:
            return unreadable(row, now, "a comment without an id or a date")
        context = {"thread": thread, "video": text_of(snippet, "videoId")}
        replies = await self._replies_of(thread, row, snippet)
        return Listed(raws=tuple(_raw(one, context, now) for one in (top, *replies)), at=at)

    async def _replies_of(self, thread: str, row: Any, snippet: Mapping[str, Any]) -> Sequence[Any]:
        """Oldest first."""
        shown, total = inner(row, "replies").get("comments"), snippet.get("totalReplyCount")
        replies = shown if isinstance(shown, list) else []
        if isinstance(total, int) and total > len(replies):
            count, kept = self._replies.get(thread, (-1, []))
            replies = kept if count == total else await self._ask(thread, total, replies)
        return sorted(replies, key=lambda one: text_of(inner(one, "snippet"), "publishedAt"))

    async def _ask(self, thread: str, total: int, shown: list[Any]) -> list[Any]:
        found, position = [], ""
        try:
            while True:
                asked = {"part": "snippet", "parentId": thread, "textFormat": "plainText", "maxResults": PAGE_ITEMS}
                answer = await self._api.get("comments", **asked, pageToken=position)
                found += _items(answer)
                following = text_of(answer, "nextPageToken")
                if not following or following == position:
                    break
                position = following
        except Rejected:  # the thread was deleted meanwhile
            return shown
        self._replies[thread] = (total, found)
        self._replies.move_to_end(thread)
        while len(self._replies) > MAX_KEPT:
            self._replies.popitem(last=False)
        return found


def _items(answer: Mapping[str, Any]) -> list[Any]:
    found = answer.get("items", [])
    if not isinstance(found, list):
        raise Unavailable("YouTube's answer is not a list of comments")
    return found


def _raw(comment: Any, context: Mapping[str, str], now: datetime) -> Raw:
    """New when the words have changed, or a picture has come or gone: likes and signed addresses are no news."""
    key, snippet = text_of(comment, "id"), inner(comment, "snippet")
    body = encode(comment)
    if not key:
        return Raw(key=f"unread:{sha256_hex(encode_stable(comment))}", body=body, media_type=JSON, received_at=now)
    matters = digest_of(snippet.get("textDisplay"), bool(snippet.get("imageUrl")))
    return Raw(key=key, digest=matters, body=body, media_type=JSON, received_at=now, context=dict(context))


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
