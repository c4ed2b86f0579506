"""Reviews of a team's apps: the newest with each poll, all of them once a day for edits, which Apple does not date."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlencode

from allears_sdk.connector import Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Threading, Words
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected, Unavailable
from allears_sdk.message import Message, Raw
from allears_sdk.settings import ChannelSettings
from allears_sdk.sweep import Page, Sweep
from connectors.app_store_connect import parse
from connectors.app_store_connect.api import PAGE_ITEMS, Api, is_ours
from connectors.app_store_connect.pages import read_page
from connectors.app_store_connect.settings import AppStoreConnectSettings

LOOK_BACK = timedelta(days=7)


class AppStoreConnectConnector(Connector[AppStoreConnectSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="app_store_connect",
        title_en="App Store reviews (App Store Connect)",
        title_zh="App Store 评论（App Store Connect）",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        public=True,
        look_back=LOOK_BACK,
        verified="a simulator of the documented API; its tokens by PyJWT",
        verified_zh="按文档自写的模拟器；令牌由 PyJWT 校验",
    )
    Settings: ClassVar[type[ChannelSettings]] = AppStoreConnectSettings

    def __init__(self, settings: AppStoreConnectSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        self._sweeps = {f"app_store_connect://{app}": self._sweep(app) for app in settings.apps}

    def _sweep(self, app: str) -> Sweep:
        return Sweep.deep(self.context, partial(self._page, app), self.settings, look_back=LOOK_BACK)

    async def check(self) -> Identity:
        counts = [await self._count(app) for app in self.settings.apps]
        return Identity(account=self.settings.issuer_id or self.settings.key_id, details=counts)

    async def streams(self) -> Sequence[str]:
        return tuple(self._sweeps)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        return self._sweeps[stream].batches(cursor, limit)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return (parse.parse(raw, settings),)

    async def _count(self, app: str) -> Words:
        answer = await self._ask(app, _first_page(app, limit=1))
        paging = answer.get("meta", {}).get("paging", {})
        count, name = paging.get("total", "?"), self.settings.name_of(app)
        return Words(f"{name}: {count} reviews", zh=f"{name}：{count} 条评论")

    async def _page(self, app: str, position: str) -> Page:
        answer = await self._ask(app, position or _first_page(app))
        page = read_page(answer, app, self.context.clock.now())
        if page.next and not is_ours(page.next, self.settings.url):
            raise Unavailable("App Store Connect names another host for the next page: the key is not shown there")
        return page

    async def _ask(self, app: str, path: str) -> dict[str, Any]:
        try:
            return await self._api.get(path)
        except Rejected as error:
            if path.startswith("/"):
                raise ConfigError(
                    f"App Store Connect does not give the reviews of app {app}: compare it with App Information → "
                    "Apple ID, and see that the key is of the same team",
                    detail=error.detail,
                ) from None
            raise


def _first_page(app: str, *, limit: int = PAGE_ITEMS) -> str:
    asked = {"sort": "-createdDate", "include": "response", "limit": limit}
    return f"/v1/apps/{app}/customerReviews?{urlencode(asked)}"
