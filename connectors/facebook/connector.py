"""A Facebook Page: what is said under its posts, what it is recommended for, and what is written to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from allears_sdk.connector import Batch, ConnectorSpec, Cursor, Hears, Identity, Threading, Words
from allears_sdk.context import Context
from allears_sdk.message import Author, Message, Raw
from allears_sdk.posts import LOOK_BACK
from allears_sdk.settings import ChannelSettings
from connectors._meta.account import AccountConnector
from connectors._meta.envelope import Item
from connectors.facebook.items import delivered
from connectors.facebook.parse import parse
from connectors.facebook.settings import FacebookSettings
from connectors.facebook.source import Comments

FIELDS = ("feed", "ratings", "messages", "message_edits", "message_echoes", "messaging_postbacks", "standby")
"""What a Page is subscribed to."""
HEARD = frozenset({"feed", "ratings"})
LOOK_EVERY = timedelta(days=1)


class FacebookConnector(AccountConnector[FacebookSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="facebook",
        title_en="Facebook Page and Messenger",
        title_zh="Facebook 主页与 Messenger",
        hears=frozenset({Hears.RECEIVE, Hears.POLL}),
        threading=Threading.CHAT,
        answer_within_seconds=5.0,
        look_back=LOOK_BACK,
        max_body_bytes=8 << 20,
        signed=True,
        verified="a server of our own after Meta's documents; recorded shapes",
        verified_zh="按 Meta 文档自写的服务器；录制的数据样例",
    )
    Settings: ClassVar[type[ChannelSettings]] = FacebookSettings
    platform = "page"
    max_text = 2000

    def __init__(self, settings: FacebookSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._looked_at: datetime | None = None

    def source(self) -> Comments:
        return Comments(self.settings.page_id, self.graph, self.context.clock)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse(raw, settings)

    def changed(self, item: Item, received_at: datetime) -> Raw | None:
        if item.field not in HEARD:
            self.note(item.field)
            return None
        return delivered(item, received_at)

    async def read_back(self, cursor: Cursor | None, limit: int) -> AsyncIterator[Batch]:
        await self._keep_subscribed()
        async for batch in super().read_back(cursor, limit):
            yield batch

    async def profile(self, customer: str) -> Author:
        found = await self.graph.get(customer, fields="first_name,last_name")
        names = (found.get("first_name"), found.get("last_name"))
        return Author(name=" ".join(name for name in names if isinstance(name, str) and name))

    async def check(self) -> Identity:
        if not self.graph.has_token:
            told = Words("no access_token: deliveries alone", zh="没有 access_token：只听推送")
            return Identity(account=self.settings.page_id, details=(told,))
        page = await self.graph.get(self.settings.page_id, fields="name")
        apps = await self._apps()
        missing = sorted(set(FIELDS) - {field for one in apps for field in one.get("subscribed_fields") or []})
        told = Words("subscribed to all that is heard", zh="需要的推送都已订阅")
        if missing:
            fields = ", ".join(missing)
            told = Words(f"not subscribed to {fields}", zh=f"没有订阅 {fields}")
        return Identity(account=f"{page.get('name')} ({self.settings.page_id})", details=(told,))

    async def _apps(self) -> list[dict[str, Any]]:
        """Those that are subscribed to the Page; ours alone where we know which."""
        found = (await self.graph.get(f"{self.settings.page_id}/subscribed_apps")).get("data") or []
        ours = self.settings.app_id
        return [one for one in found if isinstance(one, dict) and (not ours or str(one.get("id")) == ours)]

    async def _keep_subscribed(self) -> None:
        """An hour of failed deliveries and Meta takes the subscription away, for good."""
        now = self.context.clock.now()
        if not self.settings.app_id or not self.graph.has_token:
            return
        if self._looked_at is not None and now - self._looked_at < LOOK_EVERY:
            return
        has = {field for one in await self._apps() for field in one.get("subscribed_fields") or []}
        if not has.issuperset(FIELDS):
            fields = ",".join(sorted(has.union(FIELDS)))
            path = f"{self.settings.page_id}/subscribed_apps"
            await self.graph.post(path, {"subscribed_fields": fields}, repeatable=True)
            self.context.log.warning("subscribed_again", fields=",".join(sorted(set(FIELDS) - has)))
        self._looked_at = now
