"""A self-built app: callbacks in, app messages out ("接收消息与事件", "发送应用消息")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from allears_sdk.connector import Accepted, Answer, ConnectorSpec, Hears, Identity, Threading, Words
from allears_sdk.context import Context
from allears_sdk.errors import Void
from allears_sdk.message import Author, Message, Raw
from connectors._wechat.api import WorkApi
from connectors._wechat.callback import Door
from connectors._wechat.channel import CallbackConnector
from connectors._wechat.fields import Fields
from connectors._wechat.passive import reply
from connectors._wechat.said import Reach, read_message, read_raw
from connectors.wecom.settings import WecomSettings

_REPEAT_SECONDS = 1800
"""So long the platform itself drops the same words to the same member."""


class WecomConnector(CallbackConnector[WecomSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="wecom",
        title_en="WeCom app",
        title_zh="企业微信应用",
        hears=frozenset({Hears.RECEIVE}),
        threading=Threading.CHAT,
        answer_within_seconds=5.0,
        signed=True,
        verified="a simulator of the documented API, and wechatpy 1.8.18 as the other side",
        verified_zh="按文档自写的模拟器，另一端为 wechatpy 1.8.18",
    )
    Settings = WecomSettings

    def __init__(self, settings: WecomSettings, context: Context) -> None:
        door = Door(
            settings.token.get_secret_value(),
            settings.envelope(settings.corp_id),
            tolerance=settings.tolerance,
            is_echo_sealed=True,
        )
        api = WorkApi(
            context,
            url=settings.url,
            account=settings.corp_id,
            secret=settings.app_secret,
            timeout_seconds=settings.timeout_seconds,
        )
        super().__init__(settings, context, door=door, api=api)

    async def check(self) -> Identity:
        heard = Words(f"callback /in/{self.context.name}", zh=f"回调 /in/{self.context.name}")
        if not self.settings.app_secret:
            lacking = Words("no secret: no files, names or answers", zh="没有 secret：不能取文件和姓名，不能答复")
            return Identity(account=self.settings.corp_id, details=(heard, lacking))
        app = Fields(await self.api.get("/cgi-bin/agent/get", agentid=self.settings.agent_id))
        return Identity(account=f"{app.word('name')} ({self.settings.agent_id})", details=(heard,))

    @staticmethod
    def parse(raw: Raw, settings: WecomSettings) -> Sequence[Message]:
        has_secret = bool(settings.app_secret)
        reach = Reach(files=has_secret, profile=has_secret and settings.ask_profile)
        return (read_message(raw, read_raw(raw), reach),)

    def answer(self, fields: Fields, raw: Raw, accepted: Accepted) -> Answer:
        passive = self.settings.passive_reply
        told = reply(self.door, passive, fields, raw, accepted) if passive is not None else None
        return told or Answer()

    async def profile(self, user: str) -> Author:
        """ "读取成员": apps made since 2022-06-20 are told neither mobile number nor mail address."""
        found = Fields(await self.api.get("/cgi-bin/user/get", userid=user))
        email = (found.word("email") or found.word("biz_mail")).lower()
        return Author(id=user, name=found.word("name"), phone=found.word("mobile"), email=email)

    async def send(self, user: str, text: str) -> None:
        body = {
            "touser": user,
            "msgtype": "text",
            "agentid": self.settings.agent_id,
            "text": {"content": text},
            "enable_duplicate_check": 1,
            "duplicate_check_interval": _REPEAT_SECONDS,
        }
        answered = Fields(await self.api.post_once("/cgi-bin/message/send", body))
        if answered.word("invaliduser"):
            raise Void("the member has left, or cannot see the app")
