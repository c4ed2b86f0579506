"""Reading one conversation: back from now to what is stored, and the threads on the way.

Pages lie at the newer end of the span that was asked for, so `oldest` and `latest` stay put for a whole walk, and the
place moves only with its end. "conversations.history", "conversations.replies".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from allears_sdk.clock import Clock
from allears_sdk.codec import encode, encode_stable
from allears_sdk.connector import Batch, Cursor
from allears_sdk.errors import Unavailable
from allears_sdk.message import Raw
from connectors.slack.events import is_ts, listed, moment_of, raw_of, ts_of, unreadable
from connectors.slack.parse import people_in
from connectors.slack.place import Place, dump, load
from connectors.slack.settings import SlackSettings
from connectors.slack.workspaces import Conversation, Workspace, next_cursor

LOOK_BACK = timedelta(days=7)
SWEEP_SECONDS = 3600.0
OVERLAP = timedelta(minutes=1)
"""What was said just before the newest we have may show up a little after it."""

Post = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    posts: Sequence[Post]
    """Oldest first."""
    has_more: bool
    next: str = ""


class History:
    """One conversation. What it has handed over and was stored is remembered, so that a poll which finds nothing new
    writes nothing; after a restart everything in reach is offered once more."""

    def __init__(self, workspace: Workspace, conversation: Conversation, settings: SlackSettings, clock: Clock) -> None:
        self._workspace = workspace
        self._conversation = conversation
        self._settings = settings
        self._clock = clock
        self._stored: dict[str, str] = {}
        self._answered: dict[str, str] = {}
        """By thread: up to where its answers are stored."""
        self._swept_at = -SWEEP_SECONDS
        self._sweeps_from: float | None = None
        """When the walk under way began, if it goes back far enough to see all threads."""

    async def read(self, cursor: Cursor | None, limit: int, *, is_interrupted: bool = False) -> AsyncIterator[Batch]:
        """`is_interrupted`: nobody listened for a while, so answers in older threads may have gone unheard."""
        if is_interrupted:
            self._swept_at = self._clock.monotonic() - SWEEP_SECONDS
        place = load(cursor) or self._beginning()
        if not place.until:
            place = self._set_out(place)
        while True:
            page = await self._page(place)
            newest = place.newest
            async for posts in self._portions(place, page):
                newest = max(newest, *(_ts(post) for post in posts), "")
                async for batch in self._batches(posts, limit):
                    yield batch
            place = self._after(replace(place, newest=newest), page)
            if dump(place) != cursor:
                yield Batch(cursor=dump(place), more=page.has_more)
            if not page.has_more:
                return

    def _beginning(self) -> Place:
        back = LOOK_BACK if self._settings.look_back is None else self._settings.look_back
        first = ts_of(self._clock.now() - back)
        return Place(first=first, since=first, swept=first)

    def _set_out(self, place: Place) -> Place:
        now, began = self._clock.now(), self._clock.monotonic()
        self._sweeps_from = began if began - self._swept_at >= SWEEP_SECONDS else None
        days = self._settings.reread_days
        if self._sweeps_from is not None:
            days = max(days, self._settings.threads_days)
        floor = max(place.first, min(_before(place.since), ts_of(now - timedelta(days=days))))
        return replace(place, top=ts_of(now), floor=floor, until=ts_of(now), newest=place.since)

    def _after(self, place: Place, page: Page) -> Place:
        if page.has_more:
            oldest = min((ts for post in page.posts if (ts := _ts(post))), default=place.until)
            return replace(place, until=oldest)
        self._forget(place.floor)
        swept = place.swept
        if self._sweeps_from is not None:
            self._swept_at, swept = self._sweeps_from, place.newest
        return Place(first=place.first, since=place.newest, swept=swept)

    async def _page(self, place: Place) -> Page:
        """The newest that is left. One that has more but holds nothing is passed over by Slack's own cursor."""
        asked = {"oldest": place.floor, "latest": place.until, "inclusive": False}
        page = await self._ask("conversations.history", **asked)
        while page.has_more and not page.posts:
            if not page.next:
                raise Unavailable("conversations.history: an empty page says that there is more")
            page = await self._ask("conversations.history", **asked, cursor=page.next)
        return page

    async def _portions(self, place: Place, page: Page) -> AsyncIterator[Sequence[Post]]:
        """The page, and then the answers in its threads that are not stored yet."""
        yield page.posts
        for post in page.posts:
            root, latest = _ts(post), post.get("latest_reply")
            known = self._answered.get(root, max(place.first, _before(place.swept)))
            if not post.get("reply_count") or not isinstance(latest, str) or latest <= known:
                continue
            async for answers in self._answers(root, known, place.top):
                yield answers
                self._answered[root] = max(known, *(ts for one in answers if (ts := _ts(one)) > root), root)

    async def _answers(self, root: str, known: str, top: str) -> AsyncIterator[Sequence[Post]]:
        asked = {"ts": root, "oldest": known, "latest": top, "inclusive": False}
        cursor: dict[str, str] = {}
        while True:
            page = await self._ask("conversations.replies", **asked, **cursor)
            answers = [post for post in page.posts if _ts(post) != root]  # every page begins with the root
            if answers:
                yield answers
            if not page.has_more or not page.next:
                return
            cursor = {"cursor": page.next}

    async def _ask(self, method: str, **given: Any) -> Page:
        answer = await self._workspace.api.call(
            method, channel=self._conversation.id, limit=self._settings.page_items, **given
        )
        posts = answer.get("messages")
        if not isinstance(posts, list):
            raise Unavailable(f"{method}: the answer is not what Slack documents")
        kept = [post if isinstance(post, dict) else {"unknown": post} for post in posts]
        return Page(posts=sorted(kept, key=_ts), has_more=bool(answer.get("has_more")), next=next_cursor(answer))

    async def _batches(self, posts: Sequence[Post], limit: int) -> AsyncIterator[Batch]:
        """What is new in them, and known as stored once it is."""
        await self._workspace.people.learn([user for post in posts for user in people_in(post)])
        raws = [raw for post in posts if (raw := self._raw(post)) is not None]
        for start in range(0, len(raws), limit):
            some = raws[start : start + limit]
            yield Batch(raws=some, more=True)
            self._stored.update({raw.key: raw.digest for raw in some})

    def _raw(self, post: Post) -> Raw | None:
        conversation, now = self._conversation, self._clock.now()
        facts = {"channel": conversation.id, "kind": conversation.kind, **self._workspace.facts(people_in(post))}
        try:
            item = listed(conversation.id, conversation.kind, post)
        except ValueError:
            raw = unreadable(encode_stable(post), now, facts)
        else:
            if item is None:
                return None
            raw = raw_of(item, encode(post), now, facts)
        return None if self._stored.get(raw.key) == raw.digest else raw

    def _forget(self, floor: str) -> None:
        oldest = f"{self._conversation.id}:{floor}"
        self._stored = {key: mark for key, mark in self._stored.items() if key >= oldest}
        if self._sweeps_from is not None:
            self._answered = {root: ts for root, ts in self._answered.items() if root >= floor}


def _ts(post: Post) -> str:
    ts = post.get("ts")
    return ts if isinstance(ts, str) and is_ts(ts) else ""


def _before(ts: str) -> str:
    return ts_of(moment_of(ts) - OVERLAP)
