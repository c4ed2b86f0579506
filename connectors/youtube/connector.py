"""A YouTube channel's comments: the newest with each poll, older ones once a day for edits and late replies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.connector import Ask, Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Media, Threading, Words
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.settings import ChannelSettings
from allears_sdk.sweep import Sweep
from connectors._google.reviews import inner, text_of
from connectors.youtube.api import Api
from connectors.youtube.parse import parse
from connectors.youtube.settings import YoutubeSettings
from connectors.youtube.threads import HELD, Threads

LOOK_BACK = timedelta(days=7)


class YoutubeConnector(Connector[YoutubeSettings]):
    """Its raws are comments, replies among them."""

    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="youtube",
        title_en="YouTube comments",
        title_zh="YouTube 评论",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        public=True,
        look_back=LOOK_BACK,
        verified="a simulator of the documented API",
        verified_zh="按文档自写的模拟器",
    )
    Settings: ClassVar[type[ChannelSettings]] = YoutubeSettings

    def __init__(self, settings: YoutubeSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        base, channel = f"youtube://{settings.channel_id}", settings.channel_id
        self._threads = {f"{base}/published": Threads(self._api, context, channel)}
        if settings.read_held:
            self._threads[f"{base}/held"] = Threads(self._api, context, channel, HELD)
        self._sweeps = {name: self._sweep(threads) for name, threads in self._threads.items()}

    def _sweep(self, threads: Threads) -> Sweep:
        return Sweep.deep(self.context, threads.page, self.settings, look_back=LOOK_BACK)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse(raw, settings)

    async def check(self) -> Identity:
        answer = await self._api.get("channels", part="snippet", id=self.settings.channel_id)
        found = answer.get("items") or []
        if not isinstance(found, list) or not found:
            raise ConfigError(f"YouTube has no channel {self.settings.channel_id}")
        for threads in self._threads.values():
            await threads.page("", 1)
        left = await self._api.units_left()
        told = Words(f"{left} units left today", zh=f"今天还剩 {left} 个配额单位")
        return Identity(account=text_of(inner(found[0], "snippet"), "title"), details=(told,))

    async def login(self, ask: Ask) -> None:
        await self._api.login(ask)

    async def streams(self) -> Sequence[str]:
        return tuple(self._sweeps)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        return self._sweeps[stream].batches(cursor, limit)

    async def fetch(self, ref: Ref) -> Media:
        answer = await self._api.get("comments", part="snippet", id=str(ref.locator["comment"]))
        items = answer.get("items")
        found = items[0] if isinstance(items, list) and items else None
        url = text_of(inner(found, "snippet"), "imageUrl")
        if not url:
            raise Rejected("the comment was deleted, or its picture taken out")
        response = await self._api.download(url, self.settings.max_attachment_bytes)
        return Media.of(response)
