"""A robot on DingTalk: Stream mode or HTTP mode, and a gap for what was said while nobody listened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, ClassVar

from allears_sdk.connector import (
    Address,
    Answer,
    Batch,
    Connector,
    ConnectorSpec,
    Cursor,
    Gap,
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
from allears_sdk.errors import Unavailable
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.presence import Presence
from allears_sdk.remote import Socket
from allears_sdk.settings import ChannelSettings
from connectors.dingtalk.api import DingTalkApi
from connectors.dingtalk.door import Door, Refused
from connectors.dingtalk.notice import Notice, read_notice
from connectors.dingtalk.parse import parse
from connectors.dingtalk.sessions import Sessions
from connectors.dingtalk.settings import DingTalkSettings
from connectors.dingtalk.stream import BadFrame, Frame, Kind, answer_to, read_frame

SHORT = timedelta(seconds=60)
"""Absences that are no gap: a restart, a reconnection."""
_STEADY_SECONDS = 10.0
"""A connection that was told to end sooner is not replaced at once, but after the core's back-off."""
_GAP = "nobody listened, and DingTalk has no history to read back: ask in the chats whether something was said"
_DONE = Answer(body=b"{}", media_type="application/json")


class DingTalkConnector(Connector[DingTalkSettings]):
    """Its polls read nothing: they note in the cursor until when it was heard, and find gaps."""

    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="dingtalk",
        title_en="DingTalk",
        title_zh="钉钉",
        hears=frozenset({Hears.POLL, Hears.LISTEN, Hears.RECEIVE}),
        threading=Threading.CHAT,
        signed=True,
        verified="a server of our own after DingTalk's documents, which its own client (dingtalk-stream) understands",
        verified_zh="按钉钉文档自写的服务器，钉钉官方客户端（dingtalk-stream）能与它对话",
    )
    Settings: ClassVar[type[ChannelSettings]] = DingTalkSettings

    def __init__(self, settings: DingTalkSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = DingTalkApi(settings, context)
        self._door = Door(settings)
        self._sessions = Sessions(context)
        self._is_pushed_to = settings.mode == "webhook"
        self._presence = Presence(context.clock.now() if self._is_pushed_to else None)
        self._stopped = asyncio.Event()

    async def stop(self) -> None:
        self._stopped.set()

    async def check(self) -> Identity:
        await self._api.prove()
        if not self._is_pushed_to:
            heard = Words("messages over Stream mode", zh="以 Stream 模式接收消息")
            return Identity(account=self.settings.client_id, details=(heard,))
        details = [Words("messages by HTTP mode", zh="以 HTTP 模式接收消息")]
        if not self.settings.path_secret:
            bare = "without a path_secret: DingTalk's signature does not cover what is posted"
            details.append(Words(bare, zh="没有 path_secret：钉钉的签名不包含正文"))
        return Identity(account=self.settings.client_id, details=tuple(details))

    async def streams(self) -> Sequence[str]:
        return (self._stream,)

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        if self._presence.since is not None:
            now = self.context.clock.now()
            gaps = self._gaps(datetime.fromisoformat(cursor["heard_until"])) if cursor else ()
            yield Batch(cursor={"version": 1, "heard_until": now.isoformat()}, gaps=gaps)

    async def listen(self) -> AsyncIterator[Batch | Wake]:
        if self._is_pushed_to:
            await self._stopped.wait()  # nothing to hear here: messages are posted to us
            return
        loop = asyncio.get_running_loop()
        is_steady = True
        while is_steady and not self._stopped.is_set():
            began_at = loop.time()
            async with aclosing(self._connection()) as items:
                async for item in items:
                    yield item
            is_steady = loop.time() - began_at >= _STEADY_SECONDS

    async def receive(self, request: Request) -> Reception:
        if not self._is_pushed_to:
            return _refuse(403, 'a post, though mode is "websocket"')
        if request.method != "POST":
            return _refuse(405, "not a post")
        try:
            self._door.admit(request)
        except Refused as error:
            return _refuse(401, str(error))
        notice = read_notice(request.body, request.received_at)
        await self._keep_session(notice)
        return Reception(raws=(notice.raw,), answer=lambda accepted: _DONE)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return (parse(raw, settings),)

    async def fetch(self, ref: Ref) -> Media:
        most = max(self.settings.max_attachment_bytes, 1)
        response = await self._api.download(str(ref.locator["code"]), str(ref.locator["robot"]), most)
        media_type = response.header("content-type").partition(";")[0].strip().lower()
        return Media(content=response.content, media_type=media_type or "application/octet-stream")

    async def reply(self, address: Address, text: str, key: str) -> None:
        session = await self._sessions.find(address)
        body: dict[str, Any] = {"msgtype": "text", "text": {"content": text}}
        if session.is_group and address.to.id and not address.to.id.startswith("$"):  # $: no user id
            body["at"] = {"atUserIds": [address.to.id]}
        await self._api.say(session.url, body)

    @property
    def _stream(self) -> str:
        """Holds all that the cursor depends on: platform and app."""
        return f"{self.settings.url.partition('://')[2]}/{self.settings.client_id}"

    def _gaps(self, heard_until: datetime) -> Sequence[Gap]:
        absence = self._presence.absence(heard_until)
        if absence is None or absence[1] - absence[0] < SHORT:
            return ()
        return (Gap(since=absence[0], until=absence[1], reason=_GAP),)

    async def _connection(self) -> AsyncGenerator[Batch | Wake, None]:
        """Until DingTalk ends it, or asks us to open another."""
        async with self.context.remote.socket(await self._api.open_stream()) as socket:
            self._presence.begin(self.context.clock.now())
            try:
                yield Wake(stream=self._stream)  # it stands: whether there was a gap is seen now
                async with aclosing(_frames(socket)) as frames:
                    async for frame in frames:
                        if frame.kind is Kind.MESSAGE:
                            notice = read_notice(frame.data.encode(), self.context.clock.now())
                            yield Batch(raws=(notice.raw,))
                            await self._keep_session(notice)
                        elif frame.kind is Kind.OTHER:
                            self.context.log.info("frame_ignored", topic=frame.topic[:80])
                        await socket.send(answer_to(frame))
            finally:
                self._presence.end(self.context.clock.now())

    async def _keep_session(self, notice: Notice) -> None:
        if self.settings.acknowledges is not None:
            await self._sessions.keep(notice)


async def _frames(socket: Socket) -> AsyncGenerator[Frame, None]:
    """Until the connection ends. Raises Unavailable."""
    while (text := await socket.receive()) is not None:
        try:
            frame = read_frame(text)
        except BadFrame as error:
            raise Unavailable(str(error)) from None
        if frame.kind is Kind.DISCONNECT:
            return
        yield frame


def _refuse(status: int, reason: str) -> Reception:
    answer = Answer(status=status)
    return Reception(refused=reason, answer=lambda accepted: answer)
