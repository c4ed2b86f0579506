"""Reddit: all of a community, what a search finds, and what is said to the company's account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from allears_sdk.connector import (
    Address,
    Batch,
    Connector,
    ConnectorSpec,
    Cursor,
    Hears,
    Identity,
    Media,
    Threading,
    Words,
)
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected, RetryLater, Void
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.settings import ChannelSettings
from allears_sdk.sweep import OVERLAP, Sweep
from connectors.reddit.api import Api, Refused
from connectors.reddit.listing import Listing
from connectors.reddit.parse import is_picture, parse
from connectors.reddit.settings import RedditSettings

LOOK_BACK = timedelta(days=7)
SEARCH_OVERLAP = timedelta(days=4)
"""The index of the search is late, and has holes for a while."""
_TOO_LATE = frozenset({"DELETED_COMMENT", "DELETED_LINK", "TOO_OLD", "THREAD_LOCKED", "USER_BLOCKED"})


class RedditConnector(Connector[RedditSettings]):
    """Its raws are things as Reddit calls them: posts (t3), comments (t1) and private messages (t4)."""

    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="reddit",
        title_en="Reddit",
        title_zh="Reddit",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        public=True,
        look_back=LOOK_BACK,
        verified="a simulator of the documented API",
        verified_zh="按文档自写的模拟器",
    )
    Settings: ClassVar[type[ChannelSettings]] = RedditSettings

    def __init__(self, settings: RedditSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        self._listings = dict(self._listed())
        self._sweeps = {name: self._sweep(listing) for name, listing in self._listings.items()}

    def _listed(self) -> Iterator[tuple[str, Listing]]:
        settings, me = self.settings, self.settings.username.lower()
        for community in settings.subreddits:
            for kind in ("new", "comments"):
                yield f"reddit://r/{community.lower()}/{kind}", self._listing(f"/r/{community}/{kind}")
        for query in settings.searches:
            found = self._listing("/search", is_search=True, q=query, sort="new", t="all", type="link")
            yield f"reddit://search/{quote(query, safe='')}", found
        yield f"reddit://u/{me}/answers", self._listing(f"/user/{settings.username}/comments", sort="new")
        if settings.reads_inbox:
            yield f"reddit://u/{me}/inbox", self._listing("/message/inbox")
            yield f"reddit://u/{me}/sent", self._listing("/message/sent")

    def _listing(self, path: str, *, is_search: bool = False, **asked: str) -> Listing:
        return Listing(self._api, self.context, path, is_search=is_search, **asked)

    def _sweep(self, listing: Listing) -> Sweep:
        return Sweep.deep(
            self.context,
            listing.page,
            self.settings,
            look_back=LOOK_BACK,
            overlap=SEARCH_OVERLAP if listing.is_search else OVERLAP,
        )

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse(raw, settings)

    async def check(self) -> Identity:
        for name, listing in self._listings.items():
            try:
                await listing.page("", 1)
            except Refused as error:
                raise ConfigError(f"{name.removeprefix('reddit://')} cannot be read: {error}") from None
        settings = self.settings
        places = [*(f"r/{one}" for one in settings.subreddits), *settings.searches]
        inbox = (Words("its inbox", zh="收件箱"),) if settings.reads_inbox else ()
        return Identity(account=f"u/{settings.username}", details=(*places, *inbox))

    async def streams(self) -> Sequence[str]:
        return tuple(self._sweeps)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        return self._sweeps[stream].batches(cursor, limit)

    async def fetch(self, ref: Ref) -> Media:
        name = str(ref.locator.get("picture", ""))
        if not is_picture(name):
            raise Rejected("this names no picture at Reddit")
        response = await self._api.picture(name)
        return Media.of(response, name=name)

    async def reply(self, address: Address, text: str, key: str) -> None:
        if not self.settings.has_login:
            raise ConfigError("answering needs a login: set password or refresh_token")
        try:
            answer = await self._api.post("/api/comment", {"thing_id": address.message, "text": text})
        except Refused as error:
            raise Rejected(f"the account may not answer there: {error}") from None
        codes = _errors(answer)
        if codes & _TOO_LATE:
            raise Void("the post was deleted or is closed")
        if "RATELIMIT" in codes:
            raise RetryLater("Reddit lets this account answer only now and then", after_seconds=600)
        if codes:
            raise Rejected(f"Reddit takes no such answer: {', '.join(sorted(codes))[:200]}")


def _errors(answer: Mapping[str, Any]) -> frozenset[str]:
    inner = answer.get("json")
    listed = inner.get("errors") if isinstance(inner, dict) else None
    return frozenset(str(one[0]) for one in listed or () if isinstance(one, list) and one)
