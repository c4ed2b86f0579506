"""Reviews of a developer's apps: the newest with each poll, half a year's once a day for edits, which Huawei does not
date."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from allears_sdk.connector import Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Threading, Words
from allears_sdk.context import Context
from allears_sdk.message import Message, Raw
from allears_sdk.settings import ChannelSettings
from allears_sdk.sweep import Page, Sweep
from connectors.huawei_appgallery import parse
from connectors.huawei_appgallery.api import Api
from connectors.huawei_appgallery.pages import read_page
from connectors.huawei_appgallery.settings import HuaweiAppGallerySettings

LOOK_BACK = timedelta(days=7)
WINDOW = timedelta(days=180)
"""A question may span six months."""
PAGE_ITEMS = 100


class HuaweiAppGalleryConnector(Connector[HuaweiAppGallerySettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="huawei_appgallery",
        title_en="Huawei AppGallery reviews",
        title_zh="华为应用市场评论",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        public=True,
        look_back=LOOK_BACK,
        verified="a simulator; parts of the API are known from other clients only",
        verified_zh="模拟器；部分接口只从其他客户端得知",
    )
    Settings: ClassVar[type[ChannelSettings]] = HuaweiAppGallerySettings

    def __init__(self, settings: HuaweiAppGallerySettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        places = f"{settings.system}/{','.join(sorted(settings.countries))}"
        self._sweeps = {f"huawei_appgallery://{app}/{places}": self._sweep(app) for app in settings.apps}

    def _sweep(self, app: str) -> Sweep:
        return Sweep.deep(self.context, partial(self._page, app), self.settings, look_back=LOOK_BACK, window=WINDOW)

    async def check(self) -> Identity:
        counts = [await self._count(app) for app in self.settings.apps]
        return Identity(account=self.settings.client_id, details=counts)

    async def streams(self) -> Sequence[str]:
        return tuple(self._sweeps)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        return self._sweeps[stream].batches(cursor, limit)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return (parse.parse(raw, settings),)

    async def _count(self, app: str) -> Words:
        data = await self._ask(app, self._now(), 1, limit=1)
        name, count = self.settings.name_of(app), data.get("total", 0)
        return Words(f"{name}: {count} reviews in half a year", zh=f"{name}：半年内 {count} 条评论")

    async def _page(self, app: str, position: str) -> Page:
        """A position is the end of the span that is asked for, and a page of it: what is new moves no page."""
        end, _, number = position.partition(":")
        until, page = (int(end), int(number)) if position else (self._now(), 1)
        data = await self._ask(app, until, page)
        return read_page(data, app, self.context.clock.now(), f"{until}:{page + 1}")

    async def _ask(self, app: str, until: int, page: int, *, limit: int = PAGE_ITEMS) -> Mapping[str, Any]:
        asked = {
            "appId": app,
            "beginTime": until - int(WINDOW.total_seconds() * 1000),
            "endTime": until,
            "countries": ",".join(self.settings.countries),
            "sort": 0,
            "page": page,
            "limit": limit,
        }
        return await self._api.reviews(asked)

    def _now(self) -> int:
        """In milliseconds."""
        return int(self.context.clock.now().timestamp() * 1000)
