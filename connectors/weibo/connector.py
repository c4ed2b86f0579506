"""A Weibo account: mentions and comments by polling; private messages as 粉丝服务平台 pushes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from allears_sdk.connector import (
    Address,
    Ask,
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
from allears_sdk.errors import Rejected, Void
from allears_sdk.expiry import Expiry
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.noting import Noting
from allears_sdk.presence import Attendance
from allears_sdk.settings import ChannelSettings
from allears_sdk.sweep import Sweep
from connectors.weibo.api import Api
from connectors.weibo.door import pass_through
from connectors.weibo.lists import COMMENT, POST, WeiboList
from connectors.weibo.parse import PICTURE, parse
from connectors.weibo.settings import ListName, WeiboSettings
from connectors.weibo.talk import EVENT, MENTION, SAID, TALK, raw_of, read

LOOK_BACK = timedelta(days=7)
OVERLAP = timedelta(hours=6)
"""Comments that are shown late, once somebody has looked at them."""
WINDOW = timedelta(hours=48)
_GAP = "nobody took what Weibo pushed, and private messages cannot be read back: look into the account's inbox"


class WeiboConnector(Connector[WeiboSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="weibo",
        title_en="Weibo",
        title_zh="微博",
        hears=frozenset({Hears.RECEIVE, Hears.POLL}),
        threading=Threading.CHAT,
        answer_within_seconds=5.0,
        look_back=LOOK_BACK,
        signed=True,
        verified="a simulator of the documented API; Weibo's own signature sample",
        verified_zh="按文档自写的模拟器；微博自己的签名样例",
    )
    Settings: ClassVar[type[ChannelSettings]] = WeiboSettings

    def __init__(self, settings: WeiboSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        self._lists = {f"weibo://{settings.uid}/{name}": self._list(name) for name in settings.lists}
        self._sweeps = {name: self._sweep(one) for name, one in self._lists.items()}
        self._mentions = [name for name in self._sweeps if name.endswith("mentions")]
        self._attendance = Attendance(context, settings, reason=_GAP, from_first=True)
        self._messages = f"weibo://{settings.uid}/messages"
        advice = f"allears channels login {context.name}"
        self._expiry = Expiry(context, self._ends, advice=advice, is_strict=True)
        self._noting = Noting(context)

    def _list(self, name: ListName) -> WeiboList:
        kind = POST if name == "mentions" else COMMENT
        return WeiboList(self._api, self.context, self.settings.path_of(name), kind)

    def _sweep(self, one: WeiboList) -> Sweep:
        return Sweep.deep(self.context, one.page, self.settings, look_back=LOOK_BACK, overlap=OVERLAP)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse(raw, settings)

    async def login(self, ask: Ask) -> None:
        await self._api.login(ask)

    async def check(self) -> Identity:
        where = f"/in/{self.context.name}"
        details = [Words(f"private messages at {where}", zh=f"私信回调 {where}")]
        if self.settings.lists:
            life = await self._api.life()
            days = "?" if life is None else life.days
            details.append(Words(f"the token lasts {days} more days", zh=f"令牌还有 {days} 天有效"))
            for one in self._lists.values():
                await one.page("")
        if self.settings.message_token is None:
            details.append(Words("no message_token: no files, no answers", zh="没有 message_token：不取文件，不回复"))
        return Identity(account=self.settings.uid, details=details)

    async def streams(self) -> Sequence[str]:
        return (*self._sweeps, self._messages)

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        if stream == self._messages:
            batches = self._attendance.batches(cursor)
        else:
            await self._expiry.look()
            batches = self._sweeps[stream].batches(cursor, limit)
        async for batch in batches:
            yield batch

    async def receive(self, request: Request) -> Reception:
        secret = self.settings.app_secret.get_secret_value()
        return pass_through(request, secret, self.settings.tolerance, lambda: self._take(request))

    async def fetch(self, ref: Ref) -> Media:
        limit = self.settings.max_attachment_bytes
        picture, file = str(ref.locator.get("picture") or ""), str(ref.locator.get("file") or "")
        if picture and PICTURE.fullmatch(picture):
            response = await self._api.picture(picture, limit)
        elif file:
            response = await self._api.file(file, limit)
        else:
            raise Rejected("Weibo named no file")
        return Media.of(response)

    async def reply(self, address: Address, text: str, key: str) -> None:
        room = address.thread[-1] if address.thread else ""
        if not room.startswith(f"{TALK}:") or not address.to.id:
            raise Void("a post or comment is answered in public: that is left to people")
        if self.context.clock.now() - address.said_at >= WINDOW:
            raise Void("Weibo lets a customer be answered for 48 hours")
        await self._api.answer(address.to.id, text)

    async def _ends(self) -> Mapping[str, datetime | None]:
        """Nothing renews it but a person."""
        life = await self._api.life()
        return {"access_token": None if life is None else self.context.clock.now() + life}

    def _take(self, request: Request) -> Reception:
        """An empty answer is enough. What the lists bring as well is only a sign to read them."""
        talk = read(request.body)
        kind = talk.type if talk is not None else ""
        if kind not in SAID:
            self._noting.note("push_noted", type=kind or "unreadable")
        if kind == EVENT:
            return Reception()
        if kind == MENTION and self._mentions:
            return Reception(wakes=tuple(Wake(stream=name) for name in self._mentions))
        if talk is not None and str(talk.receiver_id) not in (self.settings.uid, ""):
            self._noting.note("push_noted", type="a message to another account")
        self._attendance.heard()
        return Reception(raws=(raw_of(talk, request.body, request.received_at),))
