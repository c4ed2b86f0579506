"""X: mentions of the company's account, searches, and its own answers; every read counts against a budget."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from allears_sdk.connector import Ask, Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Media, Threading, Words
from allears_sdk.context import Context
from allears_sdk.errors import Rejected
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.settings import ChannelSettings
from allears_sdk.sweep import Sweep
from connectors.x.api import Api, Source
from connectors.x.messages import sweep
from connectors.x.parse import is_picture, parse
from connectors.x.settings import XSettings
from connectors.x.walk import Walk

LOOK_BACK = timedelta(days=2)
SEARCH_WINDOW = timedelta(days=7)
NEWEST_MENTIONS = 750
"""X gives the newest 800, less those that were deleted."""
NEWEST_OWN = 3000
"""And of an account's own posts 3,200."""


class XConnector(Connector[XSettings]):
    """Its raws are posts, each with its author and its media."""

    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="x",
        title_en="X (Twitter)",
        title_zh="X（推特）",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        public=True,
        look_back=LOOK_BACK,
        verified="a simulator of the documented API; xdk 0.10.6 reads the same posts",
        verified_zh="按文档自写的模拟器；xdk 0.10.6 能读同样的帖子",
    )
    Settings: ClassVar[type[ChannelSettings]] = XSettings

    def __init__(self, settings: XSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        self._sources: dict[str, Source] = {}
        self._messages: Sweep | None = None

    @property
    def own_spec(self) -> ConnectorSpec:
        if not self.settings.read_messages:
            return self.spec
        return replace(self.spec, threading=Threading.CHAT, public=False)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse(raw, settings)

    async def check(self) -> Identity:
        user = await self._api.user_id(again=True)
        return Identity(
            account=f"@{self.settings.username} ({user})", details=(await self._api.spending.told(), *self._costs())
        )

    def _costs(self) -> Iterator[Words]:
        settings, prices = self.settings, self.settings.prices
        with_author = prices.user
        if settings.read_messages:
            cost = f"{settings.currency} {prices.message + with_author:.3f}"
            yield Words(f"{cost} for a private message with its author", zh=f"每条私信连作者 {cost}")
            return
        shown = [(prices.mention, "a mention", "每条提及")] if settings.read_mentions else []
        shown += [(prices.found_post, "a post found", "每条搜到的帖子")] if settings.searches else []
        for price, en, zh in shown:
            cost = f"{settings.currency} {price + with_author:.3f}"
            yield Words(f"{cost} for {en} with its author", zh=f"{zh}连作者 {cost}")

    async def login(self, ask: Ask) -> None:
        await self._api.login(ask)

    async def streams(self) -> Sequence[str]:
        if self.settings.read_messages:
            return (f"x://{await self._api.user_id()}/messages",)
        if not self._sources:
            self._sources = dict(self._listed(await self._api.user_id()))
        return tuple(self._sources)

    def _listed(self, user: str) -> Iterator[tuple[str, Source]]:
        settings, prices = self.settings, self.settings.prices
        if settings.read_mentions:
            path = f"/2/users/{user}/mentions"
            yield f"x://{user}/mentions", Source(path=path, price=prices.mention, least=5, reach=NEWEST_MENTIONS)
        for query in settings.searches:
            yield (
                f"x://search/{quote(query, safe='')}",
                Source(
                    path="/2/tweets/search/recent",
                    price=prices.found_post,
                    least=10,
                    asked={"query": query},
                    window=SEARCH_WINDOW,
                ),
            )
        if settings.read_own:
            path, asked = f"/2/users/{user}/tweets", {"exclude": "retweets"}
            yield f"x://{user}/own", Source(path=path, price=prices.own_post, least=5, asked=asked, reach=NEWEST_OWN)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        look_back = LOOK_BACK if self.settings.look_back is None else self.settings.look_back
        if self.settings.read_messages:
            self._messages = self._messages or sweep(self._api, self.context, look_back)
            return self._messages.batches(cursor, limit)
        return Walk(self._api, self.context, self._sources[stream], look_back).batches(cursor, limit)

    async def fetch(self, ref: Ref) -> Media:
        name = str(ref.locator.get("picture", ""))
        if not is_picture(name):
            raise Rejected("this names no picture at X")
        response = await self._api.picture(name)
        return Media.of(response, name=name)
