"""Shops on 美团外卖: a day's comments once it is over, and what customers add to them for four weeks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from allears_sdk.connector import Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Media, Threading, Words
from allears_sdk.context import Context
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.settings import ChannelSettings
from allears_sdk.spans import Reach, Rows, Span, Spans
from connectors._marketplace.times import BEIJING
from connectors.meituan import parse
from connectors.meituan.api import Api
from connectors.meituan.rows import listed
from connectors.meituan.settings import MeituanSettings

LOOK_BACK = timedelta(days=7)
DAY = timedelta(days=1)
WINDOW = timedelta(days=29)
"""Meituan gives 30 days, of which today is not one."""
DAYS = Reach(width=3 * DAY, page_items=1_000_000, closed=DAY, overlap=2 * DAY, window=WINDOW, most=1_000_000)
"""A span is read whole with one question: Meituan does not say how much there is. Yesterday is the newest day; the two
before are read again, for comments move between the lists while they are read, and moderation shows some late."""


class MeituanConnector(Connector[MeituanSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="meituan",
        title_en="Meituan takeaway comments",
        title_zh="美团外卖评价",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        public=True,
        look_back=LOOK_BACK,
        verified="a simulator; the API is known from its clients only",
        verified_zh="模拟器；接口只从客户端得知",
    )
    Settings: ClassVar[type[ChannelSettings]] = MeituanSettings

    def __init__(self, settings: MeituanSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        self._spans = {f"meituan://{settings.app_id}/{poi}": self._of(poi) for poi in settings.shops}

    def _of(self, poi: str) -> Spans:
        settings = self.settings
        return Spans(
            self.context,
            partial(self._rows, poi),
            DAYS,
            look_back=LOOK_BACK if settings.look_back is None else settings.look_back,
            every=timedelta(hours=settings.sweep_hours),
            depth=WINDOW,
        )

    async def check(self) -> Identity:
        yesterday = _day(self.context.clock.now() - DAY)
        details = []
        for poi in self.settings.shops:
            rows = await self._api.page(poi, yesterday, yesterday, self.settings.reply_statuses[0], 0)
            name, count = self.settings.name_of(poi), f"{len(rows)}{'+' if len(rows) >= 20 else ''}"
            details.append(Words(f"{name}: {count} comments yesterday", zh=f"{name}：昨天 {count} 条评价"))
        return Identity(account=self.settings.app_id, details=details)

    async def streams(self) -> Sequence[str]:
        return tuple(self._spans)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        return self._spans[stream].batches(cursor, limit)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse.parse(raw, settings)

    async def fetch(self, ref: Ref) -> Media:
        """A customer's picture."""
        limit, seconds = self.settings.max_attachment_bytes, self.settings.timeout_seconds
        response = await self.context.remote.fetch_public(str(ref.locator["url"]), limit, timeout_seconds=seconds)
        return Media.of(response, usual="image/jpeg")

    async def _rows(self, poi: str, span: Span, page: int) -> Rows:
        begin, end = _day(span.begin), _day(span.end)
        found = [await self._api.comments(poi, begin, end, status) for status in self.settings.reply_statuses]
        items = listed([row for rows in found for row in rows], poi, self.context.clock.now())
        return Rows(items=items, total=len(items))


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(BEIJING):%Y%m%d}"
