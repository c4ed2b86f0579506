"""WeChat Pay's complaints: notifications wake, polls read, answers go to the customer through WeChat Pay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.connector import (
    Address,
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
    Words,
)
from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Void
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.settings import ChannelSettings
from connectors.wechat_pay import parse
from connectors.wechat_pay.api import COMPLAINTS, IMAGES, Absent, Api, complaint_path
from connectors.wechat_pay.keys import PlatformKeys
from connectors.wechat_pay.notices import COMPLAINT, Notices, registered
from connectors.wechat_pay.place import day_of
from connectors.wechat_pay.settings import WechatPaySettings
from connectors.wechat_pay.walk import Walk

MAX_ANSWER_CHARACTERS = 200
MAX_TOLD = 1000


class WechatPayConnector(Connector[WechatPaySettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="wechat_pay",
        title_en="WeChat Pay complaints",
        title_zh="微信支付投诉",
        hears=frozenset({Hears.POLL, Hears.RECEIVE}),
        threading=Threading.ITEM,
        answer_within_seconds=5,
        look_back=timedelta(days=30),
        signed=True,
        verified="recorded fixtures, and the client library wechatpayv3 against the same simulator",
        verified_zh="录制的应答；客户端库 wechatpayv3 也对同一模拟器试过",
    )
    Settings: ClassVar[type[ChannelSettings]] = WechatPaySettings

    def __init__(self, settings: WechatPaySettings, context: Context) -> None:
        super().__init__(settings, context)
        self._keys = PlatformKeys(settings, context)
        self._api = Api(settings, context, self._keys)
        self._notices = Notices(settings, context, self._keys)
        look_back = settings.look_back if settings.look_back is not None else self.spec.look_back
        self._walk = Walk(self._api, context, look_back)
        self._stream = stream_name(settings)
        self._told: dict[str, None] = {}

    async def start(self) -> None:
        await self._keys.recall()

    async def check(self) -> Identity:
        today = day_of(self.context.clock.now())
        about = {"begin_date": today, "end_date": today, "complainted_mchid": self.settings.complainted_mchid}
        answer = await self._api.get(COMPLAINTS, limit=1, offset=0, **about)
        told = await registered(self._api)
        heard = Words("no notifications: heard by polling", zh="没有通知：只靠定时读取")
        if told:
            heard = Words(f"notifications go to {told}", zh=f"通知发往 {told}")
        count = answer.get("total_count", 0)
        return Identity(
            account=self.settings.mchid, details=(Words(f"complaints today: {count}", zh=f"今天的投诉：{count}"), heard)
        )

    async def streams(self) -> Sequence[str]:
        return (self._stream,)

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        await self._notices.keep(self._api)
        told = list(dict.fromkeys([*self._told, *filter(None, [str(hint.get(COMPLAINT) or "")])]))
        async with aclosing(self._walk.batches(cursor, told, limit)) as batches:
            async for batch in batches:
                yield batch
        for complaint in told:
            self._told.pop(complaint, None)

    async def receive(self, request: Request) -> Reception:
        reception = self._notices.receive(request, self._stream)
        for wake in reception.wakes:  # a hint gives way to a newer one; what was told is not forgotten meanwhile
            if COMPLAINT in wake.hint and len(self._told) < MAX_TOLD:
                self._told[str(wake.hint[COMPLAINT])] = None
        return reception

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse.parse(raw)

    async def fetch(self, ref: Ref) -> Media:
        """A picture. Where its address has expired, the history is asked for today's."""
        url = self._absolute(str(ref.locator["url"]))
        try:
            return await self._picture(url)
        except Rejected:
            fresh = await self._fresh(ref.locator)
            if not fresh or fresh == url:
                raise
            return await self._picture(fresh)

    async def _picture(self, url: str) -> Media:
        response = await self._api.download(url, self.settings.max_attachment_bytes)
        media_type = response.header("content-type").partition(";")[0].strip().lower()
        return Media(content=response.content, media_type=media_type or "application/octet-stream")

    async def _fresh(self, locator: Mapping[str, Any]) -> str:
        log, index = str(locator.get("log") or ""), int(locator.get("index") or 0)
        if not log:
            return ""
        try:
            images = parse.read_images(await self._walk.entry(str(locator["complaint"]), log))
        except Rejected:
            return ""
        return self._absolute(images[index]) if index < len(images) else ""

    def _absolute(self, url: str) -> str:
        """A picture inside a message is named by its id alone."""
        return url if "://" in url else f"{self.settings.url}{IMAGES}/{url}"

    async def reply(self, address: Address, text: str, key: str) -> None:
        """As the merchant's message (回复用户): WeChat Pay then shows the complaint as being worked on."""
        if len(text) > MAX_ANSWER_CHARACTERS:
            raise Rejected(
                f"WeChat Pay takes {MAX_ANSWER_CHARACTERS} characters: shorten acknowledge.text_zh and text_en"
            )
        complaint = address.thread[-1] if address.thread else address.message
        path = complaint_path(complaint)
        try:
            found = await self._api.get(path)
        except Absent:
            raise Void("WeChat Pay no longer has this complaint") from None
        if found.get("complaint_state") == "PROCESSED":
            raise Void("the complaint is closed already")
        merchant = str(found.get("complainted_mchid") or self.settings.mchid)
        await self._api.send("POST", f"{path}/response", {"complainted_mchid": merchant, "response_content": text})


def stream_name(settings: WechatPaySettings) -> str:
    """Holds all that a cursor depends on: whose complaints these are."""
    about = f"/{settings.complainted_mchid}" if settings.complainted_mchid else ""
    return f"wechat_pay://{settings.mchid}{about}"
