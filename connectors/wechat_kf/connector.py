"""微信客服: a callback says that there is something, `sync_msg` says what (企业微信 document 94670)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.connector import (
    Address,
    Answer,
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
    Wake,
    Words,
)
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected, Void
from allears_sdk.message import Author, Message, Raw, Ref
from allears_sdk.settings import ChannelSettings
from allears_sdk.signing import sha256_hex
from connectors._wechat.callback import Door
from connectors._wechat.fields import read
from connectors.wechat_kf import parse
from connectors.wechat_kf.api import KfApi
from connectors.wechat_kf.settings import WechatKfSettings
from connectors.wechat_kf.thread import account_of
from connectors.wechat_kf.walk import CALLBACK_TOKEN, HISTORY, Walk
from connectors.wechat_kf.welcome import greet

SIGNAL = "kf_msg_or_event"
REPLY_WINDOW = timedelta(hours=48)
MAX_TEXT_BYTES = 2048
_DEAF = "no token: this channel takes no callbacks"


class WechatKfConnector(Connector[WechatKfSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="wechat_kf",
        title_en="WeChat customer service",
        title_zh="微信客服",
        hears=frozenset({Hears.POLL, Hears.RECEIVE}),
        threading=Threading.CHAT,
        answer_within_seconds=5,
        look_back=HISTORY,
        signed=True,
        verified="a simulator of the documented API, and wechatpy 1.8.18 as the other side",
        verified_zh="按文档自写的模拟器，另一端为 wechatpy 1.8.18",
    )
    Settings: ClassVar[type[ChannelSettings]] = WechatKfSettings

    def __init__(self, settings: WechatKfSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = KfApi(settings, context)
        envelope = settings.envelope(settings.corp_id)
        token, tolerance = settings.token.get_secret_value(), settings.tolerance
        self._door = Door(token, envelope, tolerance=tolerance, is_echo_sealed=True) if envelope else None
        look_back = settings.look_back if settings.look_back is not None else self.spec.look_back
        self._walk = Walk(self._api, context, look_back)

    async def check(self) -> Identity:
        accounts = await self._api.accounts()
        for wanted in self.settings.open_kfids:
            if wanted not in accounts:
                raise ConfigError(f"the app may not manage the account {wanted}, or there is none: see open_kfids")
        read_here = self.settings.open_kfids or tuple(accounts)
        names = [f"{accounts[one] or one} ({one})" for one in read_here]
        heard = Words("no callback: heard by polls alone", zh="没有回调：只靠定时读取")
        if self._door:
            heard = Words(f"callback /in/{self.context.name}", zh=f"回调 /in/{self.context.name}")
        return Identity(account=self.settings.corp_id, details=(*names, heard))

    async def streams(self) -> Sequence[str]:
        accounts = self.settings.open_kfids or tuple(await self._api.accounts())
        if not accounts:
            raise ConfigError("the app may manage no customer service account: give it some in 微信客服")
        return [self._stream(one) for one in accounts]

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        open_kfid, token = stream.rpartition("/")[2], str(hint.get(CALLBACK_TOKEN) or "")
        async with aclosing(self._walk.batches(open_kfid, cursor, token, limit)) as batches:
            async for batch in batches:
                yield batch
                if self.settings.welcome:
                    now = self.context.clock.now()
                    await greet(self._api, batch.raws, self.settings.welcome, now, self.context.log)

    async def receive(self, request: Request) -> Reception:
        if self._door is None:
            return Reception(refused=_DEAF, answer=lambda _: Answer(status=403))
        return self._door.pass_through(request, self._wakes)

    def _wakes(self, body: bytes) -> Reception:
        """Of a good callback: it names the account, and a token for `sync_msg` that is good for ten minutes."""
        try:
            fields = read(body)
        except ValueError:
            return Reception()
        account, wanted = fields.word("OpenKfId"), self.settings.open_kfids
        if fields.word("Event") != SIGNAL or not account or (wanted and account not in wanted):
            return Reception()
        hint = {CALLBACK_TOKEN: fields.word("Token")} if fields.word("Token") else {}
        return Reception(wakes=(Wake(stream=self._stream(account), hint=hint),))

    @staticmethod
    def parse(raw: Raw, settings: WechatKfSettings) -> Sequence[Message]:
        message = parse.parse(raw, ask_profile=settings.ask_profile)
        return () if message is None else (message,)

    async def fetch(self, ref: Ref) -> Media | Author:
        if user := ref.locator.get("user"):
            return await self._api.customer(str(user))
        return await self._api.fetch_media(str(ref.locator["media_id"]), self.settings.max_attachment_bytes)

    async def reply(self, address: Address, text: str, key: str) -> None:
        """A text in the chat: five within 48 hours after the customer's last word, while no agent has the session."""
        account = account_of(address.thread)
        if not account or not address.to.id:
            raise Void("the platform did not say who wrote, or to which account")
        if self.context.clock.now() - address.said_at > REPLY_WINDOW:
            raise Void("the customer wrote more than 48 hours ago")
        if len(text.encode()) > MAX_TEXT_BYTES:
            raise Rejected(f"微信客服 takes {MAX_TEXT_BYTES} bytes: shorten acknowledge.text_zh and text_en")
        body = {
            "touser": address.to.id,
            "open_kfid": account,
            "msgid": sha256_hex(key)[:32],
            "msgtype": "text",
            "text": {"content": text},
        }
        await self._api.post_once("/cgi-bin/kf/send_msg", body)

    def _stream(self, open_kfid: str) -> str:
        """Holds all that a cursor depends on: company and account."""
        return f"wechat_kf://{self.settings.corp_id}/{open_kfid}"
