"""What changed since the cursor, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

# %% if listen
from allears_sdk.connector import Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Media, Threading, Wake

# %% else
from allears_sdk.connector import Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Media, Threading

# %% endif
from allears_sdk.context import Context
from allears_sdk.message import Message, Raw, Ref
from connectors.newborn.api import NewbornApi
from connectors.newborn.parse import parse_item
from connectors.newborn.raws import raw_of
from connectors.newborn.settings import NewbornSettings


class NewbornConnector(Connector[NewbornSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="newborn",
        title_en="{{ title_en }}",
        title_zh="{{ title_zh }}",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        verified="a simulator of our own",
        verified_zh="自写的模拟器",
    )
    Settings = NewbornSettings

    def __init__(self, settings: NewbornSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = NewbornApi(settings, context)

    async def check(self) -> Identity:
        account = await self._api.account()
        return Identity(account=account.name, details=("may read messages",))

    async def streams(self) -> Sequence[str]:
        return (self.settings.url,)  # another address is another stream, with a cursor of its own

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        after, has_more = cursor["last_change"] if cursor else 0, True
        while has_more:
            page = await self._api.page(after, limit)
            after, has_more = page.last_change, page.has_more
            raws = [raw_of(item, self.context.clock.now()) for item in page.items]
            yield Batch(raws=raws, cursor={"version": 1, "last_change": after}, more=has_more)

    # %% if listen
    async def listen(self) -> AsyncIterator[Batch | Wake]:
        """Live items move no cursor: the poll reads them again, which does no harm."""
        yield Wake(stream=self.settings.url)  # what was said while nobody listened
        async for item in self._api.events():
            yield Batch(raws=(raw_of(item, self.context.clock.now()),))

    # %% endif
    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse_item(raw)

    async def fetch(self, ref: Ref) -> Media:
        answer = await self.context.remote.fetch_public(ref.locator["url"], self.settings.max_attachment_bytes)
        return Media(content=answer.content, media_type=answer.header("content-type"))
