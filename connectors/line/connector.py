"""An official account: all that is said to it is pushed, and nothing can be read back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from allears_sdk.codec import decode, encode
from allears_sdk.connector import (
    Address,
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
    Words,
)
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected, Void
from allears_sdk.expiry import Expiry
from allears_sdk.message import Author, Message, Raw, Ref
from allears_sdk.noting import Noting
from allears_sdk.presence import Attendance
from allears_sdk.settings import ChannelSettings
from allears_sdk.signing import hmac_base64, same, sha256_hex
from connectors.line.api import Gone, LineApi
from connectors.line.parse import parse
from connectors.line.payload import Delivery, Heading
from connectors.line.settings import LineSettings

SIGNATURE = "X-Line-Signature"
HEARD = frozenset({"message", "unsend", "postback"})
SILENT = frozenset(
    {
        *("follow", "unfollow", "join", "leave", "memberJoined", "memberLeft", "membership", "accountLink", "beacon"),
        *("videoPlayComplete", "module", "activated", "deactivated", "botSuspended", "botResumed", "delivery"),
    }
)
"""Told, but nothing that anybody says."""
MAX_REPLY_TOKENS = 10_000
_JSON = "application/json"
_RENEW = "issue another channel access token in LINE's console, or set channel_id instead: its tokens renew themselves"
_GAP = "nobody listened, and LINE has no history to read back: look into the chats of LINE Official Account Manager"


class LineConnector(Connector[LineSettings]):
    """Its raws are deliveries of one event each; what LINE wrote of it stands there byte for byte."""

    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="line",
        title_en="LINE official account",
        title_zh="LINE 官方账号",
        hears=frozenset({Hears.RECEIVE, Hears.POLL}),
        threading=Threading.CHAT,
        answer_within_seconds=2.0,
        signed=True,
        verified="a server of our own after LINE's documents; line-bot-sdk 3.27.0 reads the same deliveries",
        verified_zh="按 LINE 文档自写的服务器；line-bot-sdk 3.27.0 能读同样的推送",
    )
    Settings: ClassVar[type[ChannelSettings]] = LineSettings

    def __init__(self, settings: LineSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = LineApi(settings, context)
        self._attendance = Attendance(context, settings, reason=_GAP)
        self._expiry = Expiry(context, self._api.ends, advice=_RENEW)
        self._reply_tokens: OrderedDict[str, tuple[str, datetime]] = OrderedDict()
        """Chat → the newest token and when it came: any of a chat's answers into it. They live for a minute: after a
        restart answers are pushes."""
        self._noting = Noting(context)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse(raw, settings)

    async def streams(self) -> Sequence[str]:
        return ("line://pushed",)

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        if self.settings.access_token is not None:
            await self._expiry.look()
        async for batch in self._attendance.batches(cursor):
            yield batch

    async def receive(self, request: Request) -> Reception:
        if request.method != "POST":
            return Reception.refuse(f"method {request.method[:10]}", 405)
        expected = hmac_base64(self.settings.channel_secret.get_secret_value(), request.body)
        if not same(request.header(SIGNATURE), expected):
            return Reception.refuse("the signature does not fit: is channel_secret the secret of this channel?")
        try:
            delivery = decode(request.body, Delivery)
        except (ValueError, RecursionError):
            return Reception(raws=(_raw(request.body, f"unread:{sha256_hex(request.body)}", request.received_at),))
        return Reception(raws=tuple(self._raws(delivery, request.received_at)))

    async def check(self) -> Identity:
        if not self._api.has_token:
            told = Words("neither channel_id nor access_token: no files, no answers", zh="没有令牌：不取文件，不回复")
            return Identity(account=self.context.name, details=(told,))
        bot = await self._api.get("info")
        return Identity(account=f"{bot.get('basicId')} ({bot.get('displayName')})", details=(await self._webhook(),))

    async def fetch(self, ref: Ref) -> Media | Author:
        if "user" in ref.locator:
            return await self._profile(ref.locator)
        try:
            response = await self._api.content(str(ref.locator["message"]), self.settings.max_attachment_bytes)
        except Gone:
            raise Rejected("LINE does not have this file any more") from None
        return Media.of(response, name=str(ref.locator.get("name") or ""))

    async def reply(self, address: Address, text: str, key: str) -> None:
        to = address.thread[-1] if address.thread else ""
        token, came_at = self._reply_tokens.pop(to, ("", self.context.clock.now()))
        if token and self.context.clock.now() - came_at < timedelta(seconds=self.settings.reply_seconds):
            try:
                await self._api.answer(token, text)
            except Rejected as error:  # it lived shorter than we thought
                self.context.log.info("reply_token_refused", reason=str(error))
            else:
                return
        if not self.settings.push_answers:
            raise Void("too late for a free answer, and push_answers is off")
        if not to:
            raise Void("LINE does not tell where this was said")
        await self._api.push(to, text, key)

    def _raws(self, delivery: Delivery, received_at: datetime) -> Iterator[Raw]:
        for event in delivery.events:
            body = encode({"destination": delivery.destination, "events": [event]})
            try:
                heading = decode(bytes(event), Heading)
            except (ValueError, RecursionError):
                heading = Heading()
            if heading.type in SILENT:
                continue
            if heading.type not in HEARD:
                self._noting.note("unknown_event", type=heading.type)
            self._keep(heading, received_at)
            yield _raw(body, heading.webhook_event_id or f"unread:{sha256_hex(bytes(event))}", received_at)

    def _keep(self, heading: Heading, at: datetime) -> None:
        """What is delivered again has an old token, perhaps one that was used."""
        room = heading.source.room
        if not (room and heading.reply_token) or (
            heading.delivery_context.is_redelivery and room in self._reply_tokens
        ):
            return
        self._reply_tokens[room] = heading.reply_token, at
        self._reply_tokens.move_to_end(room)
        while len(self._reply_tokens) > MAX_REPLY_TOKENS:
            self._reply_tokens.popitem(last=False)

    async def _profile(self, locator: dict[str, Any]) -> Author:
        user = quote(str(locator["user"]), safe="")
        place = next(
            (f"{kind}/{quote(str(locator[kind]), safe='')}" for kind in ("group", "room") if kind in locator), ""
        )
        try:
            found = await self._api.get(f"{place}/member/{user}" if place else f"profile/{user}")
        except Gone:
            raise Rejected("LINE does not tell the name: they have blocked the account, or left") from None
        return Author(name=str(found.get("displayName") or "").strip())

    async def _webhook(self) -> Words:
        try:
            found = await self._api.get("channel/webhook/endpoint")
        except Gone:
            raise ConfigError(
                "no webhook URL is set: enter it in the console, Messaging API → Webhook settings"
            ) from None
        if not found.get("active"):
            raise ConfigError('the webhook is switched off: turn "Use webhook" on in the console')
        address = str(found.get("endpoint"))
        return Words(f"pushes to {address}", zh=f"推送到 {address}")


def _raw(body: bytes, key: str, received_at: datetime) -> Raw:
    return Raw(key=key, body=body, media_type=_JSON, received_at=received_at)
