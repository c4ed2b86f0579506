"""Reading chats back: after the connection was away, for a chat that is new to us, and now and then.

Feishu's calls are counted by the month, so a connection that stands costs none.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

from allears_sdk.codec import encode
from allears_sdk.connector import Batch, Cursor, Gap
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Unavailable
from allears_sdk.feishu import Told
from allears_sdk.message import Raw
from allears_sdk.presence import Presence
from allears_sdk.signing import sha256_hex
from connectors.feishu.api import FeishuApi
from connectors.feishu.codes import LEFT
from connectors.feishu.events import GONE, MEDIA_TYPE, SAID, concerns_us, edited
from connectors.feishu.position import Position, milliseconds
from connectors.feishu.settings import FeishuSettings

LOOK_BACK = timedelta(days=1)
OVERLAP = timedelta(hours=1)
"""Read again each time: what was edited or recalled since, and what two clocks disagree about."""
SHORT = timedelta(seconds=60)
"""Absences that are no gap: a restart, a reconnection."""
IDLE = timedelta(days=90)
"""One-to-one chats in which nothing is said for so long are not asked about any more, until they are heard again."""
_PAGE = 50


class History:
    def __init__(self, api: FeishuApi, settings: FeishuSettings, context: Context, presence: Presence) -> None:
        self._api = api
        self._settings = settings
        self._context = context
        self._presence = presence
        self._deaf: set[str] = set()
        self.groups: set[str] = set()
        self.fresh: set[str] = set()
        """Chats that were heard of and are in no cursor yet."""
        self.known: set[str] = set()

    def meet(self, chat: str) -> bool:
        """A chat was heard of. Whether it is new to us, so that it must be polled."""
        if not chat or chat in self.known or chat in self.fresh:
            return False
        self.fresh.add(chat)
        return True

    async def walk(self, cursor: Cursor | None, limit: int) -> AsyncGenerator[Batch, None]:
        now = self._context.clock.now()
        look_back = LOOK_BACK if self._settings.look_back is None else self._settings.look_back
        position = Position.load(cursor, now - look_back)
        self.known = set(position.chats)
        is_sweep = self._is_sweep(position, now)
        chats = await self._to_read(position, now, is_sweep=is_sweep)
        async with aclosing(self._read(position, chats, limit)) as batches:
            async for batch in batches:
                yield batch
        position.swept_at = now if is_sweep else position.swept_at
        gaps = self._gaps(position)
        if self._presence.since is not None:
            position.heard_until = now
        yield Batch(cursor=position.dump(), gaps=gaps)
        self.known = set(position.chats)
        self.fresh -= self.known

    async def _to_read(self, position: Position, now: datetime, *, is_sweep: bool) -> dict[str, int]:
        """Which chats, each from when on: all of them after an absence and at a sweep, else those that are new."""
        begin = milliseconds(position.heard_until)
        fresh = dict.fromkeys(self.fresh - self.known, begin)
        if not is_sweep and self._presence.covers(position.heard_until):
            return fresh
        await self._list_groups()
        position.forget(milliseconds(now - IDLE), keep=self.groups)
        known = {chat: until if is_sweep else max(until, begin) for chat, until in position.chats.items()}
        return fresh | dict.fromkeys(self.groups, begin) | known

    def _is_sweep(self, position: Position, now: datetime) -> bool:
        hours = timedelta(hours=self._settings.sweep_hours)
        return bool(hours) and now - position.swept_at >= hours

    async def _read(self, position: Position, chats: Mapping[str, int], limit: int) -> AsyncGenerator[Batch, None]:
        """Those longest unread first: what was read before a crash is soon done again."""
        for chat in sorted(chats, key=lambda one: (chats[one], one)):
            position.chats.setdefault(chat, chats[chat])
            try:
                async with aclosing(self._pages(chat, chats[chat], limit)) as pages:
                    async for raws, until in pages:
                        position.chats[chat] = max(position.chats[chat], until)
                        if raws:
                            yield Batch(raws=raws, cursor=position.dump(), more=True)
            except Told as error:
                self._close(position, chat, error)
            except ConfigError as error:  # a permission is missing, for this chat as for the others
                self._close(position, chat, error)
                self._deaf.update(chats)
                return
            else:
                self._deaf.discard(chat)

    def _close(self, position: Position, chat: str, error: Told | ConfigError) -> None:
        """One chat that cannot be read back holds up no other."""
        if isinstance(error, Told) and error.code in LEFT:
            position.chats.pop(chat, None)
            self._deaf.discard(chat)
            self.fresh.discard(chat)
            return
        if chat not in self._deaf:
            self._context.log.warning("chat_not_read_back", chat=chat, reason=str(error))
        self._deaf.add(chat)

    def _gaps(self, position: Position) -> Sequence[Gap]:
        """What was said in chats that are heard live only, while nobody listened."""
        absence = self._presence.absence(position.heard_until)
        if absence is None or position.is_first or not self._deaf or absence[1] - absence[0] < SHORT:
            return ()
        reason = (
            f"{len(self._deaf)} chats cannot be read back (for groups the app needs im:message.group_msg): what Feishu "
            "did not send again by itself is missing"
        )
        return (Gap(since=absence[0], until=absence[1], reason=reason),)

    async def _list_groups(self) -> None:
        groups: set[str] = set()
        if self._settings.groups != "none":
            try:
                groups = {str(item["chat_id"]) async for item in self._items("/open-apis/im/v1/chats", page_size=100)}
            except (Told, ConfigError) as error:
                self._context.log.warning("groups_not_listed", reason=str(error))
        self.groups = groups

    async def _items(self, path: str, **params: Any) -> AsyncGenerator[dict[str, Any], None]:
        async for data in self._walk_pages(path, **params):
            for item in _dicts(data.get("items")):
                yield item

    async def _walk_pages(self, path: str, **params: Any) -> AsyncGenerator[dict[str, Any], None]:
        token = ""
        while True:
            data = await self._api.get(path, page_token=token, **params)
            yield data
            if not data.get("has_more"):
                return
            last, token = token, str(data.get("page_token") or "")
            if token in ("", last):
                raise Unavailable("Feishu says that there is more, and not where")

    async def _pages(self, chat: str, since: int, limit: int) -> AsyncGenerator[tuple[list[Raw], int], None]:
        """The new raws of each page, and when the last message of it was said."""
        pages = self._walk_pages(
            "/open-apis/im/v1/messages",
            container_id_type="chat",
            container_id=chat,
            start_time=str(max(since // 1000 - int(OVERLAP.total_seconds()), 0)),
            sort_type="ByCreateTimeAsc",
            page_size=min(_PAGE, limit),
        )
        async with aclosing(pages):
            async for data in pages:
                items = _dicts(data.get("items"))
                yield await self._raws(chat, items), max((_created(item) for item in items), default=0)

    async def _raws(self, chat: str, items: Sequence[dict[str, Any]]) -> list[Raw]:
        chat_type = "group" if chat in self.groups else "p2p"
        ours = [item for item in items if self._is_for_us(item, chat_type)]
        recalled = [str(item.get("message_id")) for item in ours if item.get("deleted")]
        known = await self._context.known(recalled) if recalled else frozenset()
        heard = [item for item in ours if not item.get("deleted") or str(item.get("message_id")) in known]
        return [self._raw(item, chat_type) for item in heard]

    def _is_for_us(self, item: Mapping[str, Any], chat_type: str) -> bool:
        sender = item.get("sender")
        is_own = isinstance(sender, dict) and sender.get("id") == self._settings.app_id
        if is_own or item.get("msg_type") == "system":
            return False
        return bool(item.get("deleted")) or concerns_us(chat_type, _dicts(item.get("mentions")), self._settings)

    def _raw(self, item: Mapping[str, Any], chat_type: str) -> Raw:
        body = encode(item)
        return Raw(
            key=str(item.get("message_id") or sha256_hex(body)),
            digest=_version(item),
            body=body,
            media_type=MEDIA_TYPE,
            received_at=self._context.clock.now(),
            context={"chat_type": chat_type},
        )


def _version(item: Mapping[str, Any]) -> str:
    if item.get("deleted"):
        return GONE
    return edited(item.get("update_time")) if item.get("updated") else SAID


def _created(item: Mapping[str, Any]) -> int:
    value = str(item.get("create_time", ""))
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 16 else 0


def _dicts(items: Any) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
