"""A mini-program: callbacks of its customer service in, its transaction reviews by polling."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.connector import (
    Address,
    Batch,
    ConnectorSpec,
    Cursor,
    Hears,
    Identity,
    Reception,
    Request,
    Threading,
    Wake,
    Words,
)
from allears_sdk.context import Context
from allears_sdk.errors import Void
from allears_sdk.message import Message, Raw
from connectors._wechat.official import AppConnector
from connectors._wechat.said import Reach, read_message, read_raw
from connectors.wechat_mini.review import PREFIX, read_review
from connectors.wechat_mini.reviews import Reviews
from connectors.wechat_mini.settings import WechatMiniSettings

LOOK_BACK = timedelta(days=30)
_BAD_SCORE = "wxa_comment_bad_score"


class WechatMiniConnector(AppConnector[WechatMiniSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="wechat_mini",
        title_en="WeChat mini-program",
        title_zh="微信小程序",
        hears=frozenset({Hears.RECEIVE, Hears.POLL}),
        threading=Threading.CHAT,
        answer_within_seconds=5.0,
        look_back=LOOK_BACK,
        signed=True,
        verified="a simulator of the documented API, and wechatpy 1.8.18 as the other side",
        verified_zh="按文档自写的模拟器，另一端为 wechatpy 1.8.18",
    )
    Settings = WechatMiniSettings

    def __init__(self, settings: WechatMiniSettings, context: Context) -> None:
        super().__init__(settings, context)
        look_back = settings.look_back if settings.look_back is not None else LOOK_BACK
        which = settings.reviews
        self._reviews = None if which == "off" else Reviews(self.api, context, which, look_back)
        self._stream = f"reviews://{settings.app_id}/{which}"

    async def check(self) -> Identity:
        found = await super().check()
        if self._reviews is None:
            return found
        count = await self._reviews.count()
        kept = self.settings.reviews
        told = Words(f"{count} reviews ({kept})", zh=f"交易评价 {count} 条（{kept}）")
        return Identity(account=found.account, details=(*found.details, told))

    async def streams(self) -> Sequence[str]:
        return () if self._reviews is None else (self._stream,)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        assert self._reviews is not None
        return self._reviews.walk(cursor, hint, limit)

    def take(self, request: Request, body: bytes) -> Reception:
        """The push of a bad review names it alone: what it says is fetched by the poll."""
        reception = super().take(request, body)
        wakes = tuple(wake for raw in reception.raws for wake in self._wakes(raw))
        return Reception(raws=reception.raws, wakes=wakes, answer=reception.answer) if wakes else reception

    def _wakes(self, raw: Raw) -> Sequence[Wake]:
        if self._reviews is None or not raw.key.startswith("event:") or _BAD_SCORE not in raw.key:
            return ()
        return (Wake(stream=self._stream, hint={"comment_id": raw.key.rpartition(":")[2]}),)

    @staticmethod
    def parse(raw: Raw, settings: WechatMiniSettings) -> Sequence[Message]:
        if raw.key.startswith(PREFIX):
            return (read_review(raw),)
        return (read_message(raw, read_raw(raw), Reach(files=bool(settings.secret))),)

    async def reply(self, address: Address, text: str, key: str) -> None:
        if address.message.startswith(PREFIX):
            raise Void("a review is answered in public: that is left to people")
        await super().reply(address, text, key)
