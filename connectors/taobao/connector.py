"""A shop on Taobao or Tmall: ratings by when they were written, refunds by when they changed, and messages of both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.connector import Ask, Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Threading, Words
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected
from allears_sdk.message import Message, Raw
from allears_sdk.settings import ChannelSettings
from allears_sdk.spans import Reach, Rows, Span, Spans
from allears_sdk.sweep import Listed
from connectors._marketplace.times import in_beijing
from connectors.taobao import parse
from connectors.taobao.api import Api
from connectors.taobao.messages import Messages
from connectors.taobao.rows import RATING_FIELDS, REFUND_FIELDS, added, order_of, rating, read_rows, refund
from connectors.taobao.settings import TaobaoSettings

LOOK_BACK = timedelta(days=7)
RATINGS = Reach(width=timedelta(days=7), page_items=150, window=timedelta(days=180), most=1500)
REFUNDS = Reach(width=timedelta(days=1), page_items=100)
DAY = timedelta(days=1)


class TaobaoConnector(Connector[TaobaoSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="taobao",
        title_en="Taobao and Tmall ratings and refunds",
        title_zh="淘宝天猫评价与退款",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        public=True,
        look_back=LOOK_BACK,
        verified="a simulator; the API is known from its clients only",
        verified_zh="模拟器；接口只从客户端得知",
    )
    Settings: ClassVar[type[ChannelSettings]] = TaobaoSettings

    def __init__(self, settings: TaobaoSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        look_back = settings.effective_look_back(LOOK_BACK)
        self._spans = {
            "ratings": Spans(
                context,
                self._ratings,
                replace(RATINGS, width=DAY) if settings.additional_reviews else RATINGS,
                look_back=look_back,
                every=timedelta(hours=settings.sweep_hours),
                depth=timedelta(days=settings.sweep_days),
            ),
            "refunds": Spans(context, self._refunds, REFUNDS, look_back=look_back),
        }
        self._messages = Messages(self._api, settings, context, refund=self._refund, ratings=self._ratings_of)
        self._streams = {f"taobao://{settings.shop}/{source}": source for source in sorted(settings.sources)}

    async def login(self, ask: Ask) -> None:
        query = {"client_id": self.settings.app_key, "view": "web"}
        await self._api.session.login(ask, self.settings.authorize_url, query)

    async def check(self) -> Identity:
        now = self.context.clock.now()
        day, details = Span(begin=now - DAY, end=now), []
        if "ratings" in self.settings.sources:
            count = (await self._rated(day, 1)).total
            details.append(Words(f"{count} ratings in a day", zh=f"一天内 {count} 条评价"))
        if "refunds" in self.settings.sources:
            count = (await self._refunds(day, 1)).total
            details.append(Words(f"{count} refunds changed in a day", zh=f"一天内 {count} 笔退款有变化"))
        return Identity(account=self.settings.shop, details=details)

    async def streams(self) -> Sequence[str]:
        return tuple(self._streams)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        source = self._streams[stream]
        return self._messages.batches(limit) if source == "messages" else self._spans[source].batches(cursor, limit)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse.parse(raw, settings)

    async def _ratings(self, span: Span, page: int) -> Rows:
        rows = await self._rated(span, page)
        return replace(rows, items=[await self._with_added(item) for item in rows.items])

    async def _with_added(self, item: Listed) -> Listed:
        """And what the buyer added later: Tmall alone tells, one by one."""
        rated = item.raws[0]
        if rated.quarantine or not self.settings.additional_reviews:
            return item
        try:
            answer = await self._api.call("tmall.traderate.feeds.get", {"child_trade_id": order_of(rated)})
        except Rejected:  # nothing was added, or it is no order of Tmall's
            return item
        more = added(answer.get("tmall_rate_info"), rated, self.context.clock.now())
        return replace(item, raws=(*item.raws, *more))

    async def _rated(self, span: Span, page: int) -> Rows:
        asked = _of_buyers(page, start_date=in_beijing(span.begin), end_date=in_beijing(span.end))
        answer = await self._listed("taobao.traderates.get", asked)
        return read_rows(answer, "trade_rates", self.context.clock.now(), rating)

    async def _refunds(self, span: Span, page: int) -> Rows:
        asked = {
            "fields": REFUND_FIELDS,
            "start_modified": in_beijing(span.begin),
            "end_modified": in_beijing(span.end),
            "page_no": page,
            "page_size": REFUNDS.page_items,
        }
        answer = await self._listed("taobao.refunds.receive.get", asked)
        return read_rows(answer, "refunds", self.context.clock.now(), refund)

    async def _listed(self, method: str, asked: Mapping[str, object]) -> Mapping[str, Any]:
        try:
            return await self._api.call(method, asked)
        except Rejected as error:
            raise ConfigError(
                f"Taobao does not take this call; is the application's API another one? {error}"
            ) from None

    async def _refund(self, number: str) -> Sequence[Raw]:
        answer = await self._api.call("taobao.refund.get", {"fields": REFUND_FIELDS, "refund_id": number})
        found = refund(answer.get("refund"), self.context.clock.now()).raws
        if found[0].quarantine:
            raise Rejected(f"Taobao tells nothing of refund {number[:40]}")
        return found

    async def _ratings_of(self, trade: str) -> Sequence[Raw]:
        answer = await self._api.call("taobao.traderates.get", _of_buyers(1, tid=trade))
        rows = read_rows(answer, "trade_rates", self.context.clock.now(), rating)
        return [raw for item in rows.items for raw in (await self._with_added(item)).raws]


def _of_buyers(page: int, **which: object) -> dict[str, object]:
    """What buyers gave the shop."""
    about = {"fields": RATING_FIELDS, "rate_type": "get", "role": "buyer", "page_size": RATINGS.page_items}
    return {**about, "page_no": page, **which}
