"""A shop on Pinduoduo: after-sales cases by when they changed. Reviews are not to be had: there is no call for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.connector import Ask, Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Threading, Words
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected
from allears_sdk.message import Message, Raw
from allears_sdk.settings import ChannelSettings
from allears_sdk.spans import Reach, Rows, Span, Spans
from connectors.pdd import parse
from connectors.pdd.api import Api
from connectors.pdd.rows import read_rows
from connectors.pdd.settings import STATUSES, PddSettings

LOOK_BACK = timedelta(days=3)
WIDTH, CLOSED = timedelta(minutes=30), timedelta(minutes=3)
PAGE_ITEMS = 100
LIST = "pdd.refund.list.increment.get"
_ALL_TYPES = 1


class PddConnector(Connector[PddSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="pdd",
        title_en="Pinduoduo after-sales",
        title_zh="拼多多售后",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        look_back=LOOK_BACK,
        verified="a simulator; the API is known from its clients only",
        verified_zh="模拟器；接口只从客户端得知",
    )
    Settings: ClassVar[type[ChannelSettings]] = PddSettings

    def __init__(self, settings: PddSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        parts = tuple(str(status) for status in settings.statuses)
        reach = Reach(width=WIDTH, page_items=PAGE_ITEMS, closed=CLOSED, parts=parts)
        self._spans = Spans(context, self._page, reach, look_back=settings.effective_look_back(LOOK_BACK))
        self._stream = f"pdd://{settings.shop}/{'all' if settings.statuses == STATUSES else ','.join(parts)}"

    async def login(self, ask: Ask) -> None:
        await self._api.session.login(ask, self.settings.authorize_url, {"client_id": self.settings.client_id})

    async def check(self) -> Identity:
        end, status = self.context.clock.now() - CLOSED, str(self.settings.statuses[0])
        count = (await self._page(Span(begin=end - WIDTH, end=end, part=status), 1)).total
        told = Words(f"{count} cases of status {status} in half an hour", zh=f"半小时内状态 {status} 的售后 {count} 笔")
        return Identity(account=self.settings.shop, details=(told,))

    async def streams(self) -> Sequence[str]:
        return (self._stream,)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        return self._spans.batches(cursor, limit)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse.parse(raw, settings)

    async def _page(self, span: Span, page: int) -> Rows:
        asked = {
            "after_sales_status": span.part,
            "after_sales_type": _ALL_TYPES,
            "start_updated_at": int(span.begin.timestamp()),
            "end_updated_at": int(span.end.timestamp()),
            "page": page,
            "page_size": PAGE_ITEMS,
        }
        try:
            answer = await self._api.call(LIST, asked, "refund_increment_get_response")
        except Rejected as error:
            raise ConfigError(f"Pinduoduo does not take this call; is `url` right? {error}") from None
        return read_rows(answer, self.context.clock.now())
