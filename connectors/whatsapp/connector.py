"""WhatsApp's Cloud API: all that is said is pushed, and nothing can be read back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

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
    Reception,
    Request,
    Threading,
    Words,
)
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected, Void
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.noting import Noting
from allears_sdk.presence import Attendance
from allears_sdk.settings import ChannelSettings
from connectors._meta.door import Door, refuse
from connectors._meta.envelope import JSON, Item, items_of, unreadable
from connectors._meta.graph import Graph
from connectors.whatsapp.parse import GROUP, parse
from connectors.whatsapp.payload import Envelope, Ids, Metadata
from connectors.whatsapp.settings import WhatsappSettings

OBJECT = "whatsapp_business_account"
HEARD = frozenset({"messages", "standby", "smb_message_echoes", "message_echoes"})
"""`standby`: the same while Meta's own agent holds a chat. Echoes: what the business says from a phone."""
WINDOW = timedelta(hours=24)
OFFERED = timedelta(days=7)
"""Meta goes on delivering for so long what nobody took."""
MAX_TEXT = 4096
_GAP = "nobody took what Meta delivered for 7 days, and there is no history to read back: look into the chats"


class WhatsappConnector(Connector[WhatsappSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="whatsapp",
        title_en="WhatsApp (Cloud API)",
        title_zh="WhatsApp（Cloud API）",
        hears=frozenset({Hears.RECEIVE, Hears.POLL}),
        threading=Threading.CHAT,
        answer_within_seconds=5.0,
        max_body_bytes=8 << 20,
        signed=True,
        verified="a server of our own after Meta's documents; pywa 4.5.0 reads the same deliveries",
        verified_zh="按 Meta 文档自写的服务器；pywa 4.5.0 能读同样的推送",
    )
    Settings: ClassVar[type[ChannelSettings]] = WhatsappSettings

    def __init__(self, settings: WhatsappSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._door = Door(settings)
        self._graph = Graph(settings, context)
        self._attendance = Attendance(context, settings, reason=_GAP, offered=OFFERED)
        self._noting = Noting(context)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse(raw, settings)

    async def streams(self) -> Sequence[str]:
        return ("whatsapp://pushed",)

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        async for batch in self._attendance.batches(cursor):
            yield batch
        if self._graph.has_token:
            await self._graph.look_at_token()

    async def receive(self, request: Request) -> Reception:
        async def accept() -> Reception:
            try:
                parts = list(items_of(request.body))
            except (ValueError, RecursionError):
                return Reception(raws=(unreadable(request.body, request.received_at),))
            others = {one.object for one in parts if isinstance(one, Item)} - {OBJECT}
            if others:
                return refuse(f"deliveries of {', '.join(sorted(others))[:80]}: they have a channel of their own", 400)
            return Reception(raws=tuple(self._raws(parts, request.received_at)))

        return await self._door.pass_through(request, accept)

    async def check(self) -> Identity:
        """The account's numbers, or those of the settings."""
        if not self._graph.has_token:
            return Identity(
                account=self.context.name,
                details=(Words("no access_token: no files, no answers", zh="没有 access_token：不取文件，不回复"),),
            )
        account = self.settings.business_account_id
        fields = "id,display_phone_number,verified_name,quality_rating"
        if account:
            numbers = (await self._graph.get(f"{account}/phone_numbers", fields=fields)).get("data") or []
        else:
            numbers = [await self._graph.get(one, fields=fields) for one in sorted(self.settings.phone_number_ids)]
        self._check_listed(numbers)
        shown = [f"{one.get('display_phone_number')} {one.get('verified_name')} ({one.get('id')})" for one in numbers]
        return Identity(account=", ".join(shown) or self.context.name, details=await self._subscribed(account))

    async def fetch(self, ref: Ref) -> Media:
        """The address that Meta names lives for five minutes: it is asked for and used at once."""
        most = self.settings.max_attachment_bytes
        found = await self._graph.get(quote(str(ref.locator["media"]), safe=""))
        size = found.get("file_size")
        if isinstance(size, int | float) and size > most:
            raise Rejected(f"{size / 1e6:.1f} MB is more than max_attachment_bytes")
        response = await self._graph.download(str(found.get("url") or ""), most, is_ours=True)
        media_type = str(found.get("mime_type") or response.header("content-type")).partition(";")[0].strip()
        return Media(
            content=response.content,
            media_type=media_type or "application/octet-stream",
            name=str(ref.locator.get("name") or ""),
        )

    async def reply(self, address: Address, text: str, key: str) -> None:
        """Free words are allowed for a day after the customer's last ones, templates only from then on."""
        if self.context.clock.now() - address.said_at >= WINDOW:
            raise Void("WhatsApp lets a customer be answered for 24 hours")
        number, _, customer = (address.thread[-1] if address.thread else "").partition("/")
        if not number or not customer or customer.startswith(GROUP):
            raise Void("in a group nobody is answered" if customer else "nothing of WhatsApp's to answer")
        phone = address.to.phone.removeprefix("+")
        said = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            **({"to": phone} if phone else {"recipient": customer}),
            "type": "text",
            "text": {"body": text[:MAX_TEXT], "preview_url": False},
            "context": {"message_id": address.message},
        }
        await self._graph.post(f"{number}/messages", said)

    def _raws(self, parts: Sequence[Item | bytes], received_at: datetime) -> Iterator[Raw]:
        for part in parts:
            if isinstance(part, bytes):
                yield unreadable(part, received_at)
            elif not part.is_event and part.field in HEARD:
                yield from self._cut(part, received_at)
            else:
                self._noting.note("delivery_ignored", field=part.field or part.place)

    def _cut(self, item: Item, received_at: datetime) -> Iterator[Raw]:
        """A message with its customer. Statuses of what we have said are none."""
        try:
            value = decode(item.value, Envelope)
        except (ValueError, RecursionError):
            yield unreadable(item.body(), received_at)
            return
        for error in value.errors:
            self.context.log.warning("whatsapp_reports", code=error.code, title=error.title[:120])
        if not self._is_for_us(value):
            return
        for name in ("messages", "message_echoes"):
            for post in getattr(value, name):
                yield _raw(item, value, name, post, received_at)

    def _is_for_us(self, value: Envelope) -> bool:
        wanted = self.settings.phone_number_ids
        if not wanted:
            return True
        try:
            number = decode(bytes(value.metadata), Metadata).phone_number_id
        except ValueError:
            return True
        if number not in wanted:
            self._noting.note("delivery_ignored", phone_number_id=number)
        return number in wanted

    def _check_listed(self, numbers: Sequence[dict[str, Any]]) -> None:
        absent = self.settings.phone_number_ids - {str(one.get("id")) for one in numbers}
        if absent:
            raise ConfigError(f"phone_number_ids {', '.join(sorted(absent))}: not among the account's numbers")

    async def _subscribed(self, account: str) -> tuple[Words, ...]:
        if not account:
            return ()
        apps = (await self._graph.get(f"{account}/subscribed_apps")).get("data") or []
        if not apps:
            raise ConfigError(
                f"no app is subscribed to account {account}: POST /{account}/subscribed_apps with its token, or "
                "turn the webhook on in the console"
            )
        return (Words("deliveries are subscribed to", zh="已订阅推送"),)


def _raw(item: Item, value: Envelope, name: str, post: Any, received_at: datetime) -> Raw:
    ids = _ids(bytes(post))
    contacts = [one for one in value.contacts if _ids(bytes(one)).people & ids.people]
    if not contacts and len(value.contacts) == 1 and not ids.people:
        contacts = list(value.contacts)
    inside = {"messaging_product": "whatsapp", "metadata": value.metadata, "contacts": contacts, name: [post]}
    body = item.body(inside)
    if not ids.id:
        return unreadable(body, received_at)
    return Raw(key=ids.id, body=body, media_type=JSON, received_at=received_at)


def _ids(body: bytes) -> Ids:
    try:
        return decode(body, Ids)
    except (ValueError, RecursionError):
        return Ids()
