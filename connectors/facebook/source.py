"""A Page's posts and the comments under them, as the Graph API lists them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from allears_sdk.clock import Clock
from allears_sdk.posts import Found, Post
from connectors._meta.graph import Graph
from connectors._meta.times import read_time
from connectors.facebook.items import listed

POST_FIELDS = "id,created_time,updated_time,from,message,permalink_url"
COMMENT_FIELDS = "id,from,message,created_time,attachment,parent,permalink_url"


class Comments:
    def __init__(self, page: str, graph: Graph, clock: Clock) -> None:
        self._page = page
        self._graph = graph
        self._clock = clock

    async def posts(self, limit: int) -> AsyncGenerator[list[Post], None]:
        async with aclosing(self._graph.pages(f"{self._page}/feed", fields=POST_FIELDS, limit=limit)) as pages:
            async for page in pages:
                yield [self._post(one) for one in page if one.get("id")]

    async def comments(self, post: Post, limit: int) -> AsyncGenerator[list[Found], None]:
        """`stream`: answers to comments stand among them."""
        asked = {"filter": "stream", "order": "reverse_chronological", "fields": COMMENT_FIELDS, "limit": limit}
        async with aclosing(self._graph.pages(f"{post.id}/comments", **asked)) as pages:
            async for page in pages:
                yield [self._found(one, post.id) for one in page]

    def _post(self, found: Mapping[str, Any]) -> Post:
        name, author = str(found["id"]), found.get("from")
        is_visitors = isinstance(author, dict) and str(author.get("id") or self._page) != self._page
        return Post(
            id=name,
            created_at=read_time(str(found.get("created_time") or "")),
            changed_at=read_time(str(found.get("updated_time") or "")),
            facts={},
            own=(self._found(found, name),) if is_visitors else (),
        )

    def _found(self, found: Mapping[str, Any], post: str) -> Found:
        kept = {name: value for name, value in found.items() if name != "updated_time"}
        raw = listed(self._page, post, kept, self._clock.now())
        return Found(raw=raw, said_at=read_time(str(found.get("created_time") or "")))
