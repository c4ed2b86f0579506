"""A shop's after-sales orders: callbacks wake, polls read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.connector import (
    Answer,
    Batch,
    Connector,
    ConnectorSpec,
    Cursor,
    Hears,
    Identity,
    Media,
    Reception,
    Request,
    Threading,
    Wake,
    Words,
)
from allears_sdk.context import Context
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.settings import ChannelSettings
from connectors._wechat.callback import Door
from connectors._wechat.channel import OK
from connectors._wechat.fields import Fields, read
from connectors.wechat_shop import parse
from connectors.wechat_shop.api import ShopApi
from connectors.wechat_shop.settings import WechatShopSettings
from connectors.wechat_shop.walk import SPAN_SECONDS, Walk

LOOK_BACK = timedelta(days=7)
MAX_TOLD = 1000
ORDER = "order"
"""In a wake's hint: the after-sales order to read."""
EVENTS = {
    "channels_ec_aftersale_update": "finder_shop_aftersale_status_update",
    "channels_ec_complaint_update": "finder_shop_complaint",
}
"""Event → the field that names its order. A shop's other events (orders, stock, 客服) are answered, not read."""
_NO_CALLBACK = Answer(status=503)


class WechatShopConnector(Connector[WechatShopSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="wechat_shop",
        title_en="WeChat Shop after-sales",
        title_zh="微信小店售后",
        hears=frozenset({Hears.POLL, Hears.RECEIVE}),
        threading=Threading.ITEM,
        answer_within_seconds=5.0,
        look_back=LOOK_BACK,
        signed=True,
        verified="a simulator of the documented API, and wechatpy 1.8.18 as the other side of the callback",
        verified_zh="按文档自写的模拟器，回调的另一端为 wechatpy 1.8.18",
    )
    Settings: ClassVar[type[ChannelSettings]] = WechatShopSettings

    def __init__(self, settings: WechatShopSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = ShopApi(settings, context)
        look_back = LOOK_BACK if settings.look_back is None else settings.look_back
        self._walk = Walk(self._api, context, look_back, timedelta(minutes=settings.recheck_minutes))
        self._stream = f"wechat_shop://{settings.app_id}"
        self._door = _door(settings) if settings.has_callback else None
        self._told: dict[str, None] = {}

    async def check(self) -> Identity:
        now = int(self.context.clock.now().timestamp())
        orders, following = await self._api.changed(now - SPAN_SECONDS, now, "")
        count = f"{len(orders)}{'+' if following else ''}"
        heard = Words("no callback: heard by polling", zh="没有回调：只靠定时读取")
        if self._door is not None:
            address = f"/in/{self.context.name}"
            heard = Words(f"callback {address}", zh=f"回调 {address}")
        told = Words(f"after-sales orders of the last 24 hours: {count}", zh=f"24 小时内的售后单：{count}")
        return Identity(account=self.settings.app_id, details=(told, heard))

    async def streams(self) -> Sequence[str]:
        return (self._stream,)

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        told = list(dict.fromkeys([*self._told, *filter(None, [str(hint.get(ORDER) or "")])]))
        async with aclosing(self._walk.batches(cursor, told, limit)) as batches:
            async for batch in batches:
                yield batch
        for order in told:
            self._told.pop(order, None)

    async def receive(self, request: Request) -> Reception:
        if self._door is None:
            return Reception(refused="this channel has no callback: set token", answer=lambda accepted: _NO_CALLBACK)
        return self._door.pass_through(request, self._take)

    def _take(self, body: bytes) -> Reception:
        """What cannot be read wakes too. A hint gives way to a newer one; what was told is not forgotten meanwhile."""
        try:
            fields = read(body)
        except ValueError:
            fields = Fields({})
        event = fields.word("Event")
        if event and event not in EVENTS:
            self.context.log.debug("wechat_shop.other_event", event_type=event[:60])
            return Reception(answer=lambda accepted: OK)
        order = fields.inner(EVENTS.get(event, "")).word("after_sale_order_id")
        is_number = order.isascii() and order.isalnum() and len(order) <= 64
        if is_number and len(self._told) < MAX_TOLD:
            self._told[order] = None
        hint = {ORDER: order} if is_number else {}
        return Reception(wakes=(Wake(stream=self._stream, hint=hint),), answer=lambda accepted: OK)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse.parse(raw, settings)

    async def fetch(self, ref: Ref) -> Media:
        return await self._api.file(str(ref.locator["media_id"]), self.settings.max_attachment_bytes)


def _door(settings: WechatShopSettings) -> Door:
    envelope = None if settings.mode == "plain" else settings.envelope(settings.app_id)
    token = settings.token.get_secret_value()
    return Door(token, envelope, tolerance=settings.tolerance, is_echo_sealed=False)
