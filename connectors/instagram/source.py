"""An account's media and the comments under them, and the words of mentions, as the Graph API tells them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from allears_sdk.clock import Clock
from allears_sdk.message import Raw
from allears_sdk.posts import Found, Post
from connectors._meta.faults import Gone
from connectors._meta.graph import Graph
from connectors._meta.times import read_time
from connectors.instagram.items import listed, read_mention
from connectors.instagram.payload import Mention

MEDIA_FIELDS = "id,timestamp,permalink"
COMMENT_FIELDS = "id,text,timestamp,username,from,parent_id,replies{id,text,timestamp,username,from,parent_id}"


class Comments:
    def __init__(self, account: str, graph: Graph, clock: Clock) -> None:
        self._account = account
        self._graph = graph
        self._clock = clock

    async def posts(self, limit: int) -> AsyncGenerator[list[Post], None]:
        async with aclosing(self._graph.pages(f"{self._account}/media", fields=MEDIA_FIELDS, limit=limit)) as pages:
            async for page in pages:
                yield [_post(one) for one in page if one.get("id")]

    async def comments(self, post: Post, limit: int) -> AsyncGenerator[list[Found], None]:
        pages = self._graph.pages(f"{post.id}/comments", fields=COMMENT_FIELDS, limit=limit)
        async with aclosing(pages):
            async for page in pages:
                yield [self._found(one, post) for comment in page for one in _with_replies(comment)]

    async def mention(self, told: Mention) -> Raw | None:
        """None for one that is gone, or not for us to see."""
        if told.comment_id:
            fields = f"mentioned_comment.comment_id({told.comment_id}){{id,text,timestamp,username}}"
        else:
            fields = f"mentioned_media.media_id({told.media_id}){{id,caption,timestamp,username,permalink}}"
        try:
            answer = await self._graph.get(self._account, fields=fields)
        except Gone:
            return None
        found = answer.get("mentioned_comment") or answer.get("mentioned_media")
        return read_mention(self._account, told, found, self._clock.now()) if isinstance(found, dict) else None

    def _found(self, found: Mapping[str, Any], post: Post) -> Found:
        raw = listed(self._account, post.id, str(post.facts["permalink"]), found, self._clock.now())
        return Found(raw=raw, said_at=read_time(str(found.get("timestamp") or "")))


def _post(found: Mapping[str, Any]) -> Post:
    """It does not tell when it was last commented on."""
    return Post(
        id=str(found["id"]),
        created_at=read_time(str(found.get("timestamp") or "")),
        changed_at=None,
        facts={"permalink": str(found.get("permalink") or "")},
    )


def _with_replies(comment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    own = {name: value for name, value in comment.items() if name != "replies"}
    replies = comment.get("replies")
    answers = replies.get("data") if isinstance(replies, dict) else None
    below = [one for one in answers if isinstance(one, dict)] if isinstance(answers, list) else []
    return [own, *({"parent_id": comment.get("id"), **one} for one in below)]
