"""Shops on 大众点评: their reviews by when they were written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from allears_sdk.connector import Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Threading, Words
from allears_sdk.context import Context
from allears_sdk.message import Message, Raw
from allears_sdk.settings import ChannelSettings
from allears_sdk.spans import Reach, Rows, Span, Spans
from connectors._marketplace.times import in_beijing
from connectors.dianping import parse
from connectors.dianping.api import Api
from connectors.dianping.rows import read_rows
from connectors.dianping.settings import DianpingSettings

LOOK_BACK = timedelta(days=7)
DAY = timedelta(days=1)
PAGE_ITEMS = 50
OVERLAP = timedelta(hours=48)
"""Moderation shows a review late, under the time it was written."""
WINDOW = timedelta(days=365)


class DianpingConnector(Connector[DianpingSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="dianping",
        title_en="Dianping shop reviews",
        title_zh="大众点评门店评价",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        public=True,
        look_back=LOOK_BACK,
        verified="a simulator; the API is known from its clients only",
        verified_zh="模拟器；接口只从客户端得知",
    )
    Settings: ClassVar[type[ChannelSettings]] = DianpingSettings

    def __init__(self, settings: DianpingSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        self._spans = {f"dianping://{settings.app_key}/{shop}": self._of(shop) for shop in settings.shops}

    def _of(self, shop: str) -> Spans:
        """It is not documented how further pages are asked for: a span that fills a page is halved instead."""
        settings = self.settings
        return Spans(
            self.context,
            partial(self._rows, shop),
            Reach(
                width=7 * DAY,
                page_items=PAGE_ITEMS,
                overlap=OVERLAP,
                window=WINDOW,
                most=PAGE_ITEMS,
                parts=settings.platforms,
            ),
            look_back=LOOK_BACK if settings.look_back is None else settings.look_back,
            every=timedelta(hours=settings.sweep_hours),
            depth=timedelta(days=settings.sweep_days),
        )

    async def check(self) -> Identity:
        now = self.context.clock.now()
        details = []
        for shop in self.settings.shops:
            counts = [
                (await self._rows(shop, Span(begin=now - DAY, end=now, part=part), 1)).total for part in self._parts
            ]
            name = self.settings.name_of(shop)
            details.append(Words(f"{name}: {sum(counts)} reviews in a day", zh=f"{name}：一天内 {sum(counts)} 条评价"))
        return Identity(account=self.settings.app_key, details=details)

    @property
    def _parts(self) -> Sequence[str]:
        return self.settings.platforms

    async def streams(self) -> Sequence[str]:
        return tuple(self._spans)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        return self._spans[stream].batches(cursor, limit)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse.parse(raw, settings)

    async def _rows(self, shop: str, span: Span, page: int) -> Rows:
        settings = self.settings
        asked = {
            "open_shop_uuid": shop,
            "begintime": in_beijing(span.begin),
            "endtime": in_beijing(span.end),
            "star": settings.star,
            "platform": span.part,
            "offset": str(settings.first_offset),
            "limit": str(PAGE_ITEMS),
        }
        about = {"shop": shop, "platform": span.part}
        data = await self._api.reviews(asked)
        items = read_rows(data, about, settings.text_field, self.context.clock.now())
        return Rows(items=items, total=len(items))
