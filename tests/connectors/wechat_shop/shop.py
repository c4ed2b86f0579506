"""A shop of 微信小店 in miniature: after-sales orders listed by their last change, disputes, products, pictures.

"获取售后单列表", "获取售后单", "获取纠纷单", "获取商品", "通过mediaid获取数据".
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from allears_sdk.testing.clock import START
from tests.connectors._wechat.platform import OK, Platform, fault

NOW = int(START.timestamp())
LIST = "/channels/ec/aftersale/getaftersalelist"
AFTER_SALE = "/channels/ec/aftersale/getaftersaleorder"
DISPUTE = "/channels/ec/aftersale/getcomplaintorder"
PRODUCT = "/channels/ec/product/get"
MEDIA = "/channels/ec/basics/media/get"
ABSENT = fault(10021050, "after sale order not exist")

Item = dict[str, Any]


@dataclass
class Shop(Platform):
    orders: dict[str, Item] = field(default_factory=dict)
    disputes: dict[str, Item] = field(default_factory=dict)
    products: dict[str, str] = field(default_factory=lambda: {"10000076089602": "保湿面霜 50ml"})
    odd_rows: list[Any] = field(default_factory=list)
    """Listed beside the orders' numbers."""
    page_items: int = 50

    def write(self, number: int, reason: str = "质量问题", *, age: int = 3600, **more: Any) -> Item:
        """Made, or changed under its number; `age`: seconds since that."""
        order = str(2000000000000000 + number)
        made = self.orders.get(order, {}).get("create_time", NOW - age)
        written = make_after_sale(order, reason, create_time=made, update_time=NOW - age) | more
        self.orders[order] = written
        return written

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        is_in = bool(self.token) and request.query.get("access_token") == self.token
        if request.path == MEDIA and is_in and not self.faults.get(MEDIA):
            self.calls.append((request.path, dict(request.query), None))
            return self._media(request.query["media_id"])
        return await super()._answer(request)

    @property
    def _calls(self) -> dict[str, Callable[[dict[str, str], Any], Item]]:
        return {
            LIST: self._changed,
            AFTER_SALE: self._after_sale,
            DISPUTE: lambda query, body: (
                {**OK, **self.disputes[body["complaint_id"]]}
                if body["complaint_id"] in self.disputes
                else fault(10020000)
            ),
            PRODUCT: self._product,
        }

    def _changed(self, query: dict[str, str], body: Any) -> Item:
        begin, end, start = body["begin_update_time"], body["end_update_time"], int(body.get("next_key") or 0)
        if not 0 < end - begin <= 86_400:
            return fault(10020004, "time range")
        found = [(_changed_at(one), order) for order, one in self.orders.items() if begin <= _changed_at(one) <= end]
        rows = [order for _, order in sorted(found, reverse=True)] + (self.odd_rows if not start else [])
        more = start + self.page_items < len(rows)
        page = {"after_sale_order_id_list": rows[start : start + self.page_items], "has_more": more}
        return {**OK, **page, "next_key": str(start + self.page_items) if more else ""}

    def _after_sale(self, query: dict[str, str], body: Any) -> Item:
        found = self.orders.get(body["after_sale_order_id"])
        return {**OK, "after_sale_order": found} if found is not None else ABSENT

    def _product(self, query: dict[str, str], body: Any) -> Item:
        title = self.products.get(body["product_id"])
        return {**OK, "product": {"product_id": body["product_id"], "title": title}} if title else fault(10020049)


def _changed_at(order: Item) -> int:
    at = order.get("update_time")
    return at if isinstance(at, int) else NOW - 3600


def make_after_sale(order: str, reason: str, **more: Any) -> Item:
    """As "获取售后单" shows one."""
    return {
        "after_sale_order_id": order,
        "status": "MERCHANT_PROCESSING",
        "openid": "oShop1234efgh5678ijkl",
        "order_id": "3707636310244721920",
        "product_info": {"product_id": "10000076089602", "sku_id": "613091837", "count": 1, "fast_refund": False},
        "refund_info": {"amount": 9900, "refund_reason": 0},
        "return_info": {"waybill_id": "", "delivery_id": "", "delivery_name": ""},
        "merchant_upload_info": {"reject_reason": "", "refund_certificates": []},
        "reason": "10000021",
        "reason_text": reason,
        "type": "RETURN",
        "deadline": 129_600,
        "details": {"desc": "", "prove_imgs": [], "tel_number": "", "media_id_list": []},
        **more,
    }


def make_step(kind: int, at: int, content: str = "", **more: Any) -> Item:
    return {"item_type": kind, "time": at, "media_id_list": [], **({"content": content} if content else {}), **more}


@asynccontextmanager
async def open_shop() -> AsyncIterator[Shop]:
    shop = Shop()
    await shop.start()
    yield shop
    await shop.stop()


@contextmanager
def open_shop_apart() -> Iterator[Shop]:
    """On a loop and thread of its own, for a daemon that runs beside the test."""
    shop, loop = Shop(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(shop.start(), loop).result(10)
    yield shop
    asyncio.run_coroutine_threadsafe(shop.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
