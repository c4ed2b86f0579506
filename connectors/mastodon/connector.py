"""An account that is mentioned: read by `min_id`, woken by the event stream, which also tells what was deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

from allears_sdk.codec import decode
from allears_sdk.connector import (
    Address,
    Batch,
    Connector,
    ConnectorSpec,
    Cursor,
    Hears,
    Identity,
    Media,
    Threading,
    Wake,
    Words,
)
from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Void
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.remote.events import Event, read_events
from allears_sdk.settings import ChannelSettings
from connectors.mastodon.api import Gone, MastodonApi
from connectors.mastodon.parse import parse
from connectors.mastodon.payload import Heading
from connectors.mastodon.raws import MENTION, deletion
from connectors.mastodon.settings import MastodonSettings
from connectors.mastodon.walk import LOOK_BACK, Walk

SILENCE_SECONDS = 90.0
"""Servers send a heartbeat every 15 s."""


class MastodonConnector(Connector[MastodonSettings]):
    """Its raws are notifications of mentions, our own answers, and deletions. A post in public is filed as a complaint
    only, a direct message like any other."""

    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="mastodon",
        title_en="Mastodon",
        title_zh="Mastodon",
        hears=frozenset({Hears.POLL, Hears.LISTEN}),
        threading=Threading.ITEM,
        look_back=LOOK_BACK,
        verified="mastodon-mock 0.6.1, a server of the Mastodon API that others wrote",
        verified_zh="mastodon-mock 0.6.1：他人编写的 Mastodon API 服务器",
    )
    Settings: ClassVar[type[ChannelSettings]] = MastodonSettings

    def __init__(self, settings: MastodonSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = MastodonApi(settings, context)
        self._stopped = asyncio.Event()

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse(raw, settings)

    async def stop(self) -> None:
        self._stopped.set()

    async def check(self) -> Identity:
        me, instance = await self._api.me(again=True), await self._api.instance()
        await self._api.mentions(1)
        return Identity(
            account=f"@{me.acct}@{self.settings.host} ({me.display_name or me.acct})",
            details=(Words(f"mentions on {instance.title}", zh=f"{instance.title} 上的提及"),),
        )

    async def streams(self) -> Sequence[str]:
        return (f"mastodon://{(await self._api.me()).id}@{self.settings.host}/mentions",)

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        async for batch in Walk(self._api, self.context, self.settings, cursor).batches(limit):
            yield batch

    async def listen(self) -> AsyncIterator[Batch | Wake]:
        """The stream repeats nothing: what was said while nobody listened is read by the poll that a wake asks for."""
        (name,) = await self.streams()
        try:
            url = await self._api.streaming_url()
            opened = self.context.remote.stream(url, headers=self._api.headers, silence_seconds=SILENCE_SECONDS)
            async with opened as stream:
                yield Wake(stream=name)
                async for event in read_events(stream.chunks):
                    if _is_mention(event):
                        yield Wake(stream=name)
                    elif event.name == "delete" and await self.context.known([event.data]):
                        yield Batch(raws=(deletion(event.data, self.context.clock.now()),))
        except Rejected as error:  # some servers stream over WebSockets alone
            self.context.log.info("no_event_stream", reason=str(error))
            await self._stopped.wait()

    async def fetch(self, ref: Ref) -> Media:
        try:
            status = await self._api.status(str(ref.locator["status"]))
        except Gone:
            raise Rejected("the post was deleted, or is no longer shown to us") from None
        media = next((one for one in status.media_attachments if one.id == ref.locator["media"]), None)
        if media is None or not (media.url or media.remote_url):
            raise Rejected("the post no longer has this file")
        response = await self._api.download(str(media.url or media.remote_url), self.settings.max_attachment_bytes)
        name = str(media.url or media.remote_url).partition("?")[0].rpartition("/")[2]
        return Media.of(response, name=name)

    async def reply(self, address: Address, text: str, key: str) -> None:
        try:
            asked = await self._api.status(address.message)
        except Gone:
            raise Void("the post was deleted") from None
        most = (await self._api.instance()).configuration.statuses.max_characters
        said = {
            "status": f"@{asked.account.acct} {text}"[:most],
            "in_reply_to_id": asked.id,
            "visibility": "direct" if self.settings.answer_privately else asked.visibility,
        }
        await self._api.post(said, key)


def _is_mention(event: Event) -> bool:
    if event.name != "notification":
        return False
    try:
        return decode(event.data, Heading).type == MENTION
    except (ValueError, RecursionError):
        return True
