"""A bot on Feishu: events over the long connection or by webhook, chats read back after an absence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from allears_sdk.codec import encode
from allears_sdk.connector import (
    Address,
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
)
from allears_sdk.context import Context
from allears_sdk.message import Author, Message, Raw, Ref
from allears_sdk.presence import Presence
from allears_sdk.settings import ChannelSettings
from connectors.feishu.api import FeishuApi
from connectors.feishu.door import Door
from connectors.feishu.envelope import Envelope, Refused, open_envelope
from connectors.feishu.events import IGNORED, Notice, read_event
from connectors.feishu.history import LOOK_BACK, History
from connectors.feishu.line import PING_SECONDS, Line, ping_seconds
from connectors.feishu.parse import parse
from connectors.feishu.resources import fetch, find_self, reply
from connectors.feishu.settings import FeishuSettings

_DONE = Answer(body=b"{}", media_type="application/json")


class FeishuConnector(Connector[FeishuSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="feishu",
        title_en="Feishu / Lark",
        title_zh="飞书",
        hears=frozenset({Hears.POLL, Hears.LISTEN, Hears.RECEIVE}),
        threading=Threading.CHAT,
        answer_within_seconds=3.0,
        look_back=LOOK_BACK,
        signed=True,
        verified="a server of our own after Feishu's documents, which its own client (lark-oapi) understands",
        verified_zh="按飞书文档自写的服务器，飞书官方客户端（lark-oapi）能与它对话",
    )
    Settings: ClassVar[type[ChannelSettings]] = FeishuSettings

    def __init__(self, settings: FeishuSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = FeishuApi(settings, context)
        self._door = Door(settings)
        self._is_pushed_to = settings.mode == "webhook"
        self._presence = Presence(context.clock.now() if self._is_pushed_to else None)
        self._history = History(self._api, settings, context, self._presence)
        self._stopped = asyncio.Event()
        self._strange: set[str] = set()

    async def stop(self) -> None:
        self._stopped.set()

    async def check(self) -> Identity:
        return await find_self(self._api)

    async def streams(self) -> Sequence[str]:
        return (self._stream,)

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        async with aclosing(self._history.walk(cursor, limit)) as batches:
            async for batch in batches:
                yield batch

    async def listen(self) -> AsyncIterator[Batch | Wake]:
        if self._is_pushed_to:
            await self._stopped.wait()  # nothing to hear here: events are posted to us
            return
        url, service, config = await self._api.endpoint()
        async with self.context.remote.socket(url) as socket:
            seconds = ping_seconds(config) or PING_SECONDS
            line = Line(socket, self.context.log, service=service, ping_seconds=seconds)
            self._presence.begin(self.context.clock.now())
            try:
                async with aclosing(self._heard(line)) as items:
                    async for item in items:
                        yield item
            finally:
                self._presence.end(self.context.clock.now())

    async def receive(self, request: Request) -> Reception:
        if not self._is_pushed_to:
            return _refuse(403, 'a post, though mode is "websocket"')
        if request.method != "POST" or request.path not in ("", "/"):
            return _refuse(405, "not a post to the channel's own address")
        try:
            envelope = self._door.admit(request)
        except Refused as error:
            return _refuse(401, str(error))
        if envelope.is_handshake:
            answer = Answer(body=encode({"challenge": envelope.challenge}), media_type="application/json")
            return Reception(answer=lambda accepted: answer)
        notice = await self._read(envelope, request.received_at)
        if notice is None:
            return Reception(answer=lambda accepted: _DONE)
        return Reception(raws=(notice.raw,), wakes=self._wakes(notice), answer=lambda accepted: _DONE)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse(raw, settings)

    async def fetch(self, ref: Ref) -> Media | Author:
        return await fetch(self._api, ref)

    async def reply(self, address: Address, text: str, key: str) -> None:
        await reply(self._api, address, text, key)

    @property
    def _stream(self) -> str:
        """Holds all that the cursor depends on: platform and app."""
        return f"{self.settings.url.partition('://')[2]}/{self.settings.app_id}"

    async def _heard(self, line: Line) -> AsyncGenerator[Batch | Wake, None]:
        yield Wake(stream=self._stream)  # the connection stands: what was said before it is read back
        async with aclosing(line.events()) as deliveries:
            async for delivery in deliveries:
                notice = await self._understand(delivery.payload)
                if notice is not None:
                    for wake in self._wakes(notice):
                        yield wake
                    yield Batch(raws=(notice.raw,))
                await line.acknowledge(delivery)

    async def _understand(self, payload: bytes) -> Notice | None:
        try:
            envelope = open_envelope(payload)
        except Refused:
            self.context.log.warning("event_unreadable", size=len(payload))
            return None
        return await self._read(envelope, self.context.clock.now())

    async def _read(self, envelope: Envelope, now: datetime) -> Notice | None:
        """None for what is not for us to store."""
        notice = read_event(envelope, self.settings, now)
        if notice is None:
            self._note_strange(envelope.header.event_type if envelope.header else envelope.type)
            return None
        if not notice.is_for_us:
            return None
        if not notice.is_recall or await self.context.known([notice.raw.key]):
            return notice
        if notice.chat in self._history.groups:  # somebody's message in a group, that never was for us
            return None
        return Notice(raw=replace(notice.raw, context={"is_unknown": True}), chat=notice.chat)

    def _wakes(self, notice: Notice) -> tuple[Wake, ...]:
        return (Wake(stream=self._stream),) if self._history.meet(notice.chat) else ()

    def _note_strange(self, kind: str) -> None:
        """An event we did not ask for is told of once."""
        if kind not in IGNORED and kind not in self._strange and len(self._strange) < len(IGNORED):
            self._strange.add(kind)
            self.context.log.info("event_ignored", kind=kind[:80])


def _refuse(status: int, reason: str) -> Reception:
    answer = Answer(status=status)
    return Reception(refused=reason, answer=lambda accepted: answer)
