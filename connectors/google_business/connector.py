"""Reviews of a company's places: what is new or edited stands at the top of Google's list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from allears_sdk.connector import Ask, Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Threading, Words
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError
from allears_sdk.message import Message, Raw
from allears_sdk.settings import ChannelSettings
from allears_sdk.sweep import Page, Sweep
from connectors.google_business import parse
from connectors.google_business.pages import Place, read_page
from connectors.google_business.settings import GoogleBusinessSettings
from connectors.google_business.source import Source

LOOK_BACK = timedelta(days=7)
COUNTED = 10
"""Places whose reviews a check counts."""


class GoogleBusinessConnector(Connector[GoogleBusinessSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="google_business",
        title_en="Google reviews (Business Profile)",
        title_zh="Google 商家评价（Business Profile）",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        public=True,
        look_back=LOOK_BACK,
        verified="a simulator of the documented API",
        verified_zh="按文档自写的模拟器",
    )
    Settings: ClassVar[type[ChannelSettings]] = GoogleBusinessSettings

    def __init__(self, settings: GoogleBusinessSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._source = Source(settings, context)
        self._sweeps: dict[Place, Sweep] = {}
        self._places: dict[str, Place] = {}
        """By stream."""

    async def check(self) -> Identity:
        places = await self._source.places()
        if not places:
            raise ConfigError("this account manages no place: log in as an owner or manager of the Business Profile")
        details = [await self._count(place) for place in places[:COUNTED]]
        details += [Words(f"{one.title} ({one.name})", zh=f"{one.title}（{one.name}）") for one in places[COUNTED:]]
        return Identity(account=self._source.account, details=details)

    async def login(self, ask: Ask) -> None:
        await self._source.oauth.login(ask)

    async def streams(self) -> Sequence[str]:
        found = {f"google_business://{place.id}": place for place in await self._source.places()}
        self._places.update(found)
        return tuple(found)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        place = self._places[stream]
        if place not in self._sweeps:
            self._sweeps[place] = self._sweep(place)
        return self._sweeps[place].batches(cursor, limit)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return (parse.parse(raw),)

    def _sweep(self, place: Place) -> Sweep:
        look_back = LOOK_BACK if self.settings.look_back is None else self.settings.look_back
        return Sweep(self.context, partial(self._page, place), look_back=look_back)

    async def _page(self, place: Place, position: str) -> Page:
        return read_page(await self._source.reviews(place, position), place, self.context.clock.now())

    async def _count(self, place: Place) -> Words:
        count = (await self._source.reviews(place, "", limit=1)).get("totalReviewCount", 0)
        name = f"{place.title} ({place.name})"
        return Words(f"{name}: {count} reviews", zh=f"{name}：{count} 条评价")
