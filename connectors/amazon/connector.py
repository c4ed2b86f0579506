"""Feedback on a seller by reports, and what Amazon says of a product's reviews, which it gives nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, ClassVar

from allears_sdk.connector import Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Threading, Words
from allears_sdk.context import Context
from allears_sdk.errors import Rejected
from allears_sdk.message import Message, Raw
from allears_sdk.settings import ChannelSettings
from connectors.amazon import parse
from connectors.amazon.api import FEEDBACK, REPORTS, TOPICS, Api, refused
from connectors.amazon.marketplaces import MARKETPLACES, Code
from connectors.amazon.reports import Reports
from connectors.amazon.settings import AmazonSettings
from connectors.amazon.topics import read_topics

LOOK_BACK = timedelta(days=30)


class AmazonConnector(Connector[AmazonSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="amazon",
        title_en="Amazon seller feedback",
        title_zh="亚马逊卖家反馈",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        public=True,
        look_back=LOOK_BACK,
        verified="a simulator; the report's columns and dates are known from other clients only",
        verified_zh="模拟器；报告的列和日期只从其他客户端得知",
    )
    Settings: ClassVar[type[ChannelSettings]] = AmazonSettings

    def __init__(self, settings: AmazonSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        ends = settings.secret_expires
        end = datetime.combine(ends, time.min, tzinfo=UTC) if ends else None
        context.accounts.expires("client_secret", end, advice="make a new one: Developer Central, LWA credentials")
        look_back = LOOK_BACK if settings.look_back is None else settings.look_back
        self._reports = {
            f"amazon://{settings.seller}/{code}": Reports(context, self._api, settings, code, look_back)
            for code in dict.fromkeys(settings.marketplaces)
        }
        self._topics: dict[str, tuple[Code, str]] = {
            f"amazon://{settings.seller}/{code}/topics/{asin}": (code, asin)
            for code in dict.fromkeys(settings.marketplaces)
            for asin in settings.products
        }

    async def check(self) -> Identity:
        ids = ",".join(MARKETPLACES[code].id for code in dict.fromkeys(self.settings.marketplaces))
        asked = {"reportTypes": FEEDBACK, "marketplaceIds": ids, "pageSize": 1}
        try:
            await self._api.call("list", "GET", f"{REPORTS}/reports", params=asked)
        except Rejected as error:
            raise refused(error) from None
        if self._topics:
            await self._ask_topics(*next(iter(self._topics.values())))
        shops = ", ".join(MARKETPLACES[code].domain for code in self.settings.marketplaces)
        details = [Words(f"may read seller feedback reports: {shops}", zh=f"可以读取卖家反馈报告：{shops}")]
        return Identity(account=self.settings.seller, details=details)

    async def streams(self) -> Sequence[str]:
        return (*self._reports, *self._topics)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        if stream in self._topics:
            return self._read_topics(*self._topics[stream], limit)
        return self._reports[stream].batches(cursor, limit)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return (parse.parse(raw, settings),)

    async def _read_topics(self, code: Code, asin: str, limit: int) -> AsyncIterator[Batch]:
        data = await self._ask_topics(code, asin)
        raws = list(read_topics(data, code, asin, self.context.clock.now())) if data else []
        for start in range(0, len(raws), limit):
            yield Batch(raws=raws[start : start + limit])

    async def _ask_topics(self, code: Code, asin: str) -> Mapping[str, Any] | None:
        """None where there are none: too few reviews, or not sold there."""
        asked = {"marketplaceId": MARKETPLACES[code].id, "sortBy": "MENTIONS"}
        try:
            return await self._api.call("topics", "GET", f"{TOPICS}/{asin}/reviews/topics", params=asked)
        except Rejected as error:
            self.context.log.info("amazon.no_topics", marketplace=code, asin=asin, error=str(error))
            return None
