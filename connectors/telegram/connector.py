"""A bot's queue: asked for its updates, or pushed to us. What it holds is stored before Telegram may forget it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec

from allears_sdk.codec import decode
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
    Words,
)
from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Void
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.settings import ChannelSettings
from allears_sdk.signing import same, sha256_hex
from connectors.telegram.api import BotApi, Forbidden, Moved
from connectors.telegram.hook import Hook
from connectors.telegram.parse import parse
from connectors.telegram.payload import HEARD, FilePath, Identified, Me, Update
from connectors.telegram.place import Place
from connectors.telegram.settings import TelegramSettings

KEPT = timedelta(hours=24)
"""How long Telegram keeps what nobody has taken ("Getting updates")."""
STAMP_EVERY = timedelta(minutes=10)
"""How often a cursor notes that nothing was said: from it a gap is told."""
MAX_PAGE = 100
MAX_TEXT = 4096
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of a header
_REFUSED = Answer(status=401)


class TelegramConnector(Connector[TelegramSettings]):
    """Its raws are updates, byte for byte."""

    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="telegram",
        title_en="Telegram bot",
        title_zh="Telegram 机器人",
        hears=frozenset({Hears.POLL, Hears.RECEIVE}),
        threading=Threading.CHAT,
        answer_within_seconds=30,
        signed=True,
        verified="a Bot API server of our own, with python-telegram-bot as its other client",
        verified_zh="自写的 Bot API 服务器，另一个客户端为 python-telegram-bot",
    )
    Settings: ClassVar[type[ChannelSettings]] = TelegramSettings

    def __init__(self, settings: TelegramSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = BotApi(settings, context)
        self._hook = Hook(settings, self._api, context)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse(raw, settings)

    async def check(self) -> Identity:
        me = await self._api.ask("getMe", Me)
        shown = Words(
            "in groups it is shown commands, mentions and answers to it alone",
            zh="在群里只收到命令、@ 它的消息和对它的回复",
        )
        if me.can_read_all_group_messages:
            shown = Words("in groups it is shown every message", zh="在群里收到全部消息")
        return Identity(account=f"@{me.username} ({me.first_name})", details=(shown, await self._hook.describe()))

    # Asking

    async def streams(self) -> Sequence[str]:
        return (self.settings.stream,)

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        if self._hook.is_wanted:
            await self._hook.keep()
            batch = self._batch((), cursor, is_full=False)
        else:
            await self._hook.leave()
            updates = await self._updates(cursor, min(limit, MAX_PAGE))
            batch = self._batch(updates, cursor, is_full=len(updates) == min(limit, MAX_PAGE))
        if batch.raws or batch.gaps or self._is_old(cursor) or _offset(batch.cursor) != _offset(cursor):
            yield batch

    async def _updates(self, cursor: Cursor | None, limit: int) -> list[msgspec.Raw]:
        """Asking with an offset has Telegram forget what lies below it: all of that is stored."""
        asked: dict[str, Any] = {
            "limit": limit,
            "timeout": self.settings.poll_seconds,
            "allowed_updates": HEARD,
        }
        if (offset := _offset(cursor)) is not None:
            asked["offset"] = offset
        wait_seconds = float(self.settings.poll_seconds)
        return await self._api.ask("getUpdates", list[msgspec.Raw], asked, wait_seconds=wait_seconds)

    def _batch(self, updates: Sequence[msgspec.Raw], cursor: Cursor | None, *, is_full: bool) -> Batch:
        """The offset follows the last one, also where that is lower. With nothing left there is none: after a quiet
        week Telegram begins at any number, and an old offset could confirm what nobody has read."""
        now = self.context.clock.now()
        raws = [_raw(bytes(update), now) for update in updates]
        numbers = [number for number in (_number(raw.body) for raw in raws) if number is not None]
        offset = max(numbers) + 1 if numbers else _offset(cursor) if updates else None
        return Batch(
            raws=raws,
            cursor={"version": 1, "offset": offset, "at": now.isoformat()},
            gaps=self._gaps(cursor, now),
            more=is_full,
        )

    def _gaps(self, cursor: Cursor | None, now: datetime) -> Sequence[Gap]:
        if cursor is None or now - _asked_at(cursor) <= KEPT:
            return ()
        reason = "Telegram keeps what nobody takes for 24 hours: what was said before that is lost"
        return (Gap(since=_asked_at(cursor), until=now - KEPT, reason=reason),)

    def _is_old(self, cursor: Cursor | None) -> bool:
        return cursor is None or self.context.clock.now() - _asked_at(cursor) >= STAMP_EVERY

    # Being pushed to

    async def receive(self, request: Request) -> Reception:
        """The answer is empty: Telegram would carry out a method that stood in it."""
        secret = self.settings.webhook_secret
        if secret is None:
            return Reception(refused="webhook_url is not set: this bot is asked, not pushed", answer=_refuse)
        if request.method != "POST" or not same(request.header(SECRET_HEADER), secret.get_secret_value()):
            return Reception(refused="a request without our webhook_secret", answer=_refuse)
        return Reception(raws=(_raw(request.body, request.received_at),))

    # What is still there, and what is said back

    async def fetch(self, ref: Ref) -> Media:
        most = min(self.settings.max_file_bytes, self.settings.max_attachment_bytes)
        found = await self._api.ask("getFile", FilePath, {"file_id": ref.locator["file_id"]})
        if not found.file_path or found.file_path.startswith("/"):
            raise Rejected("the Bot API server keeps this file on a disk of its own (--local)")
        if found.file_size > most:
            raise Rejected(f"{found.file_size / 1e6:.1f} MB is more than is fetched")
        content = await self._api.download(found.file_path, most)
        return Media(content=content, name=str(ref.locator.get("name") or found.file_path.rpartition("/")[2]))

    async def reply(self, address: Address, text: str, key: str) -> None:
        try:
            place = Place.read(address.message)
        except ValueError:
            raise Void("nothing of Telegram's to answer") from None
        try:
            await self._say(place, place.chat, text)
        except Moved as moved:
            await self._say(place, moved.chat, text)

    async def _say(self, place: Place, chat: int, text: str) -> None:
        business = {"business_connection_id": place.business} if place.business else {}
        answered = {"message_id": place.message, "allow_sending_without_reply": True}
        quiet = {"link_preview_options": {"is_disabled": True}}
        said = {"chat_id": chat, "text": text[:MAX_TEXT], "reply_parameters": answered, **business, **quiet}
        try:
            await self._api.send("sendMessage", said)
        except Forbidden:
            raise Void("the bot was blocked, or put out of the group") from None


def _raw(body: bytes, received_at: datetime) -> Raw:
    """An update's number alone is no key: after a quiet week Telegram begins at a random one, perhaps a used one."""
    try:
        update = decode(body, Update)
        number, post = update.update_id, update.said or update.edited
        key = f"{number}:{Place.of(post).name}" if post is not None else f"{number}:{sha256_hex(body)[:16]}"
    except (ValueError, RecursionError):
        key = sha256_hex(body)
    return Raw(key=key, body=body, media_type="application/json", received_at=received_at)


def _number(body: bytes) -> int | None:
    try:
        return decode(body, Identified).update_id
    except (ValueError, RecursionError):
        return None


def _offset(cursor: Cursor | None) -> int | None:
    return cursor["offset"] if cursor is not None else None


def _asked_at(cursor: Cursor) -> datetime:
    return datetime.fromisoformat(cursor["at"])


def _refuse(accepted: Sequence[Any]) -> Answer:
    return _REFUSED
