"""Calls of a shop ("获取售后单列表", "获取售后单", "获取纠纷单", "通过mediaid获取数据")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from allears_sdk.connector import Media
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, ConfigError, Rejected, Unavailable
from allears_sdk.remote import Response, check_status
from connectors._wechat.api import WechatApi
from connectors._wechat.codes import OFFICIAL, Codes, Meaning, Reaction
from connectors.wechat_shop.settings import WechatShopSettings

LIST = "/channels/ec/aftersale/getaftersalelist"
AFTER_SALE = "/channels/ec/aftersale/getaftersaleorder"
DISPUTE = "/channels/ec/aftersale/getcomplaintorder"
PRODUCT = "/channels/ec/product/get"
MEDIA = "/channels/ec/basics/media/get"
CALLS_PER_SECOND = 10
CALLS_AT_ONCE = 20
MAX_ORDER_BYTES = 2 << 20
MAX_TITLES = 1000
_ABSENT = Meaning(reaction=Reaction.REJECTED, text="the shop has no such after-sales order")
_BUSY = Meaning(reaction=Reaction.BUSY, text="the shop's API is busy")
SHOP: Codes = {
    **OFFICIAL,
    9700223: _BUSY,
    10021044: _BUSY,
    10020000: _ABSENT,
    10021043: _ABSENT,
    10021050: _ABSENT,
}


class ShopApi(WechatApi):
    def __init__(self, settings: WechatShopSettings, context: Context) -> None:
        super().__init__(
            context,
            url=settings.url,
            account=settings.app_id,
            secret=settings.app_secret.get_secret_value(),
            timeout_seconds=settings.timeout_seconds,
        )
        self._limit = f"wechat_shop:{settings.app_id}"
        self._titles: dict[str, str] = {}
        context.remote.limit(self._limit, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)

    def codes(self) -> Codes:
        return SHOP

    async def changed(self, begin: int, end: int, position: str) -> tuple[Sequence[Any], str]:
        """Numbers of orders that changed in a span of Unix seconds, 24 hours at most, and the next position, "" behind
        the last. Raises Rejected for a position that is good no more."""
        asked = {"begin_update_time": begin, "end_update_time": end} | ({"next_key": position} if position else {})
        page = await self.post(LIST, asked)
        orders, following = page.get("after_sale_order_id_list") or [], page.get("next_key")
        if not isinstance(orders, list):
            raise Unavailable("the list of after-sales orders is not what the platform documents")
        if not page.get("has_more"):
            return orders, ""
        if not isinstance(following, str) or following in ("", position):
            raise Unavailable("the list of after-sales orders says that there is more, and not where")
        return orders, following

    async def after_sale(self, order: str) -> Mapping[str, Any]:
        found = (await self.post(AFTER_SALE, {"after_sale_order_id": order})).get("after_sale_order")
        return found if isinstance(found, dict) else {}

    async def dispute(self, complaint: str) -> Mapping[str, Any]:
        found = await self.post(DISPUTE, {"complaint_id": complaint})
        return {name: value for name, value in found.items() if name not in ("errcode", "errmsg")}

    async def title(self, product: str) -> str:
        """What a product is called; "" where that is not to be had: an order is read without it."""
        if not product or product in self._titles:
            return self._titles.get(product, "")
        try:
            found = (await self.post(PRODUCT, {"product_id": product, "data_type": 1})).get("product")
        except AllearsError:
            return ""
        title = found.get("title") if isinstance(found, dict) else None
        if len(self._titles) >= MAX_TITLES:
            self._titles.clear()
        self._titles[product] = title.strip() if isinstance(title, str) else ""
        return self._titles[product]

    async def file(self, media_id: str, max_bytes: int) -> Media:
        found = await self.download(MEDIA, max_bytes, media_id=media_id)
        if not isinstance(found, Media):
            raise Rejected("the platform answered no file")
        return found

    async def _request(self, method: str, path: str, token: str, given: Mapping[str, Any]) -> Response:
        """Whoever is not on the IP whitelist gets a bare 403."""
        asked = {"max_bytes": MAX_ORDER_BYTES, **given, "account": self._limit, "raise_for_status": False}
        response = await super()._request(method, path, token, asked)
        if response.status == 403:
            raise ConfigError("403: add this server's address to the shop's IP whitelist (IP白名单)")
        check_status(response, self._context.clock.now())
        return response
