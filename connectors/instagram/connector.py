"""An Instagram account: comments, mentions, messages. Comments are read back; of mentions the words always are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

from allears_sdk.codec import decode
from allears_sdk.connector import (
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
from allears_sdk.errors import Rejected
from allears_sdk.message import Author, Message, Raw
from allears_sdk.posts import LOOK_BACK
from allears_sdk.settings import ChannelSettings
from connectors._meta.account import AccountConnector
from connectors._meta.envelope import Item
from connectors._meta.graph import Graph
from connectors.instagram.items import COMMENTS, MENTIONS, comment, mention
from connectors.instagram.login import LoginGraph
from connectors.instagram.parse import parse
from connectors.instagram.payload import Mention
from connectors.instagram.settings import InstagramSettings
from connectors.instagram.source import Comments

MAX_MENTIONS = 1000


class InstagramConnector(AccountConnector[InstagramSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="instagram",
        title_en="Instagram",
        title_zh="Instagram",
        hears=frozenset({Hears.RECEIVE, Hears.POLL}),
        threading=Threading.CHAT,
        answer_within_seconds=5.0,
        look_back=LOOK_BACK,
        max_body_bytes=8 << 20,
        signed=True,
        verified="a server of our own after Meta's documents; recorded shapes",
        verified_zh="按 Meta 文档自写的服务器；录制的数据样例",
    )
    Settings: ClassVar[type[ChannelSettings]] = InstagramSettings
    platform = "instagram"
    max_text = 1000

    def __init__(self, settings: InstagramSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._comments = self.source()
        self._mentions: dict[str, Mention] = {}
        """Told, and not read yet. After a restart they stand as they were told."""

    def make_graph(self) -> Graph:
        return (LoginGraph if self.settings.effective_renew_token else Graph)(self.settings, self.context)

    def source(self) -> Comments:
        return Comments(self.settings.instagram_id, self.graph, self.context.clock)

    @property
    def sender_id(self) -> str:
        return self.settings.sender_id

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse(raw, settings)

    def changed(self, item: Item, received_at: datetime) -> Raw | None:
        if item.field in COMMENTS:
            return comment(item, received_at)
        if item.field == MENTIONS:
            raw = mention(item, received_at)
            if self.graph.has_token and len(self._mentions) < MAX_MENTIONS:
                self._mentions[raw.key] = decode(item.value, Mention)
            return raw
        self.note(item.field)
        return None

    async def receive(self, request: Request) -> Reception:
        reception = await super().receive(request)
        if not any(raw.key in self._mentions for raw in reception.raws):
            return reception
        stream = (await self.streams())[0]
        return Reception(raws=reception.raws, wakes=(Wake(stream=stream),), answer=reception.answer)

    async def read_back(self, cursor: Cursor | None, limit: int) -> AsyncIterator[Batch]:
        for key, told in list(self._mentions.items()):
            raw = await self._words_of(told)
            if raw is not None:
                yield Batch(raws=(raw,), more=True)
            self._mentions.pop(key, None)
        async for batch in super().read_back(cursor, limit):
            yield batch

    async def _words_of(self, told: Mention) -> Raw | None:
        """A mention that Meta refuses stays as it was told."""
        try:
            return await self._comments.mention(told)
        except Rejected as error:
            self.context.log.warning("mention_unread", reason=str(error))
            return None

    async def profile(self, customer: str) -> Author:
        found = await self.graph.get(customer, fields="name,username")
        name, handle = found.get("name"), found.get("username")
        return Author(
            name=name if isinstance(name, str) else "",
            handle=f"@{handle}" if isinstance(handle, str) and handle else "",
        )

    async def check(self) -> Identity:
        if not self.graph.has_token:
            told = Words("no access_token: deliveries alone", zh="没有 access_token：只听推送")
            return Identity(account=self.settings.instagram_id, details=(told,))
        found = await self.graph.get(self.settings.instagram_id, fields="username")
        return Identity(account=f"@{found.get('username')} ({self.settings.instagram_id})")
