"""What 公众号 and 小程序 do alike beyond the callback: their calls go to api.weixin.qq.com."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

from allears_sdk.connector import Accepted, Address, Answer, Identity, Words
from allears_sdk.context import Context
from allears_sdk.errors import Void
from allears_sdk.message import Raw
from connectors._wechat.api import WechatApi
from connectors._wechat.callback import Door
from connectors._wechat.channel import CallbackConnector
from connectors._wechat.fields import Fields
from connectors._wechat.passive import hand_over
from connectors._wechat.settings import AppSettings

_MODES = {"secure": "安全模式", "compatible": "兼容模式", "plain": "明文模式"}
WINDOW = timedelta(hours=48)
"""So long after a customer's last word an account may write to him, five times."""
A = TypeVar("A", bound=AppSettings)


class AppConnector(CallbackConnector[A]):
    def __init__(self, settings: A, context: Context) -> None:
        door = Door(
            settings.token.get_secret_value(),
            None if settings.mode == "plain" else settings.envelope(settings.app_id),
            tolerance=settings.tolerance,
            is_echo_sealed=False,
        )
        api = WechatApi(
            context,
            url=settings.url,
            account=settings.app_id,
            secret=settings.secret,
            timeout_seconds=settings.timeout_seconds,
        )
        super().__init__(settings, context, door=door, api=api)

    async def check(self) -> Identity:
        address, mode = f"/in/{self.context.name}", self.settings.mode
        heard = Words(f"callback {address} in {mode} mode", zh=f"回调 {address} （{_MODES[mode]}）")
        secret = Words("no app_secret: no files, no answers", zh="没有 app_secret：不能取文件，不能答复")
        if self.settings.secret:
            await self.api.tokens.get()
            secret = Words("the app secret is accepted", zh="AppSecret 有效")
        return Identity(account=self.settings.app_id, details=(heard, secret))

    def answer(self, fields: Fields, raw: Raw, accepted: Accepted) -> Answer:
        given = hand_over(self.door, fields, raw) if self.settings.hand_over else None
        return given or super().answer(fields, raw, accepted)

    async def reply(self, address: Address, text: str, key: str) -> None:
        if self.context.clock.now() - address.said_at > WINDOW:
            raise Void("the customer wrote more than 48 hours ago")
        await super().reply(address, text, key)

    async def send(self, user: str, text: str) -> None:
        """A customer service message ("发送客服消息"); how many of the five are left the platform alone knows."""
        body = {"touser": user, "msgtype": "text", "text": {"content": text}}
        await self.api.post_once("/cgi-bin/message/custom/send", body)
