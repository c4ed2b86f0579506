"""Reviews by Apple's public feed: 500 of each app in each country, without an account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from allears_sdk.connector import Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Threading, Words
from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Unavailable
from allears_sdk.message import Message, Raw
from allears_sdk.settings import ChannelSettings
from allears_sdk.sweep import Page, Sweep
from connectors.app_store_feed.entry import entries_of, listed, read_entry
from connectors.app_store_feed.settings import AppStoreFeedSettings

LOOK_BACK = timedelta(days=7)
PAGES = 10
_ACCOUNT = "app_store_feed"
CALLS_PER_SECOND, CALLS_AT_ONCE = 1.0, 5
"""Apple names no limit: this is what a patient reader asks for."""


class AppStoreFeedConnector(Connector[AppStoreFeedSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="app_store_feed",
        title_en="App Store reviews (public feed)",
        title_zh="App Store 评论（公开 feed）",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        public=True,
        look_back=LOOK_BACK,
        verified="a simulator of the feed as others have recorded it",
        verified_zh="模拟器，依照他人记录的 feed",
    )
    Settings: ClassVar[type[ChannelSettings]] = AppStoreFeedSettings

    def __init__(self, settings: AppStoreFeedSettings, context: Context) -> None:
        super().__init__(settings, context)
        context.remote.limit(_ACCOUNT, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)
        self._feeds = [(app, country) for app in settings.apps for country in settings.countries]
        self._sweeps = {f"app_store_feed://{country}/{app}": self._sweep(app, country) for app, country in self._feeds}

    def _sweep(self, app: str, country: str) -> Sweep:
        return Sweep.deep(self.context, partial(self._page, app, country), self.settings, look_back=LOOK_BACK)

    async def check(self) -> Identity:
        told = [await self._found(app, country) for app, country in self._feeds]
        return Identity(account="Apple's public feed", details=told)

    async def streams(self) -> Sequence[str]:
        return tuple(self._sweeps)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        return self._sweeps[stream].batches(cursor, limit)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return (read_entry(raw, settings),)

    async def _found(self, app: str, country: str) -> Words:
        count = len((await self._page(app, country, "")).items)
        what = f"{self.settings.name_of(app)} ({country.upper()})"
        if count:
            return Words(f"{what}: {count} reviews on the newest page", zh=f"{what}：最新一页有 {count} 条评论")
        return Words(
            f"{what}: the feed is empty: no reviews, another country, or Apple gives none; app_store_connect is surer",
            zh=f"{what}：feed 为空：没有评论、国家不对，或 Apple 没给；app_store_connect 更可靠",
        )

    async def _page(self, app: str, country: str, position: str) -> Page:
        """A full feed ends with its tenth page, and there may be more; a shorter one may be a lapse of Apple's."""
        number = int(position or 1)
        entries = await self._entries(app, country, number)
        items = [listed(entry, app, country, self.context.clock.now()) for entry in entries]
        return Page(items=items, next=str(number + 1) if entries and number < PAGES else "", is_whole=False)

    async def _entries(self, app: str, country: str, number: int) -> list[Any]:
        settings = self.settings
        url = settings.url + settings.path.format(app=app, country=country, page=number)
        try:
            response = await self.context.remote.request(
                "GET", url, timeout_seconds=settings.timeout_seconds, account=_ACCOUNT
            )
        except Rejected as error:  # what is wrong for good is not told apart from a lapse
            raise Unavailable(
                f"Apple gives no feed of app {app} in {country}: see that the app is sold there", detail=error.detail
            ) from None
        return entries_of(response.json())
