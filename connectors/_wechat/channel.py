"""A channel whose messages come as callbacks: what 公众号, 小程序 and 企业微信 apps do alike."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

from allears_sdk.connector import Accepted, Address, Answer, Connector, Media, Reception, Request
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected, Void
from allears_sdk.message import Author, Raw, Ref
from connectors._wechat.api import WechatApi
from connectors._wechat.callback import Door
from connectors._wechat.fields import Fields, read
from connectors._wechat.said import is_noise, key_of, thread_of
from connectors._wechat.settings import CallbackSettings

S = TypeVar("S", bound=CallbackSettings)

JSON = "application/json"
XML = "application/xml"
OK = Answer(body=b"success")
"""公众号 and 小程序 take this or nothing, 企业微信 any 200."""


class CallbackConnector(Connector[S]):
    """A raw is one message in clear, known by its MsgId: encrypted, each delivery would look different."""

    def __init__(self, settings: S, context: Context, *, door: Door, api: WechatApi) -> None:
        super().__init__(settings, context)
        self.door = door
        self.api = api

    async def receive(self, request: Request) -> Reception:
        return self.door.pass_through(request, lambda body: self.take(request, body))

    def take(self, request: Request, body: bytes) -> Reception:
        """One raw, and the answer to it."""
        fields = _fields(body)
        if is_noise(fields):
            return Reception(answer=lambda accepted: OK)
        raw = Raw(
            key=key_of(fields, body),
            body=body,
            media_type=JSON if body.lstrip()[:1] == b"{" else XML,
            received_at=request.received_at,
            thread=thread_of(fields),
        )
        return Reception(raws=(raw,), answer=lambda accepted: self.answer(fields, raw, accepted[0]))

    def answer(self, fields: Fields, raw: Raw, accepted: Accepted) -> Answer:
        """To a stored message; word for word the same to a redelivery."""
        return OK

    async def fetch(self, ref: Ref) -> Media | Author:
        if user := ref.locator.get("user"):
            return await self.profile(str(user))
        media, url = ref.locator.get("media_id"), ref.locator.get("url")
        limit = self.settings.max_attachment_bytes
        try:
            if media:
                return await self.api.fetch_media(str(media), limit)
        except (ConfigError, Rejected):
            if not url:  # pictures lie open for a while, also for accounts that may not call
                raise
        return await self.api.fetch_address(str(url), limit)

    async def profile(self, user: str) -> Author:
        """What the platform tells of a user. Raises as `fetch`."""
        raise Rejected("this platform tells nothing of its users")

    async def reply(self, address: Address, text: str, key: str) -> None:
        if not address.to.id:
            raise Void("the platform did not say who wrote")
        await self.send(address.to.id, text)

    @abstractmethod
    async def send(self, user: str, text: str) -> None:
        """One text message, once. Raises as `reply`."""


def _fields(body: bytes) -> Fields:
    """Empty for what cannot be read: it is stored all the same, and `parse` says why."""
    try:
        return read(body)
    except ValueError:
        return Fields({})
