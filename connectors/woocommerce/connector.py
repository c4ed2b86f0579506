"""Product reviews of a WooCommerce shop: also those that wait to be approved, and those that went into the trash."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.connector import Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Threading, Words
from allears_sdk.context import Context
from allears_sdk.message import Message, Raw
from allears_sdk.remote import Response
from allears_sdk.settings import ChannelSettings
from allears_sdk.sweep import Listed, Page, Sweep
from connectors.woocommerce import parse
from connectors.woocommerce.api import Api
from connectors.woocommerce.reviews import read_page, read_trash, rows_of
from connectors.woocommerce.settings import WooCommerceSettings

LOOK_BACK = timedelta(days=7)
PAGE_ITEMS = 100
SHOWN, TRASH = "all", "trash"
"""What WooCommerce calls the approved and the held ones together, without spam; left out, it gives the approved."""


class WooCommerceConnector(Connector[WooCommerceSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="woocommerce",
        title_en="WooCommerce product reviews",
        title_zh="WooCommerce 商品评价",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        public=True,
        look_back=LOOK_BACK,
        verified="a simulator of the documented API",
        verified_zh="按文档自写的模拟器",
    )
    Settings: ClassVar[type[ChannelSettings]] = WooCommerceSettings

    def __init__(self, settings: WooCommerceSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        shop = f"woocommerce://{settings.url.partition('://')[2].rstrip('/')}"
        self._sweeps = {shop: self._sweep(self._page), f"{shop}#{TRASH}": self._sweep(self._trash_page)}

    async def check(self) -> Identity:
        response = await self._ask(SHOWN, 1, limit=1)
        rows_of(response)
        count = response.header("x-wp-total") or "?"
        return Identity(account=self.settings.url, details=(Words(f"{count} reviews", zh=f"{count} 条评价"),))

    async def streams(self) -> Sequence[str]:
        return tuple(self._sweeps)

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        """What goes into the trash and comes back between two polls is news to both."""
        others = [sweep for name, sweep in self._sweeps.items() if name != stream]
        async for batch in self._sweeps[stream].batches(cursor, limit):
            for other in others:
                other.forget(raw.key for raw in batch.raws)
            yield batch

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return (parse.parse(raw),)

    def _sweep(self, ask: Callable[[str], Awaitable[Page]]) -> Sweep:
        return Sweep.deep(self.context, ask, self.settings, look_back=LOOK_BACK)

    async def _page(self, position: str) -> Page:
        """A position is the number of a page: what is new moves all pages by one item, which is then seen twice."""
        number = int(position or 1)
        return read_page(await self._ask(SHOWN, number), number, self.context.clock.now())

    async def _trash_page(self, position: str) -> Page:
        """Of what was never heard nothing is taken back: it is known from now on, and heard if it is restored."""
        number = int(position or 1)
        page = read_trash(await self._ask(TRASH, number), number, self.context.clock.now())
        known = await self.context.known([item.raws[0].key for item in page.items])
        return replace(page, items=[item if item.raws[0].key in known else _as_known(item) for item in page.items])

    async def _ask(self, status: str, number: int, *, limit: int = PAGE_ITEMS) -> Response:
        asked = {"status": status, "page": number, "per_page": limit, "orderby": "date_gmt", "order": "desc"}
        return await self._api.reviews(asked)


def _as_known(item: Listed) -> Listed:
    return replace(item, raws=tuple(replace(raw, baseline=True) for raw in item.raws))
