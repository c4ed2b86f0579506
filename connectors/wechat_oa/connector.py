"""An Official Account: callbacks in, customer service messages out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from allears_sdk.connector import Accepted, Answer, ConnectorSpec, Hears, Threading
from allears_sdk.message import Author, Message, Raw
from connectors._wechat.fields import Fields
from connectors._wechat.official import AppConnector
from connectors._wechat.passive import reply
from connectors._wechat.said import Reach, read_message, read_raw
from connectors.wechat_oa.settings import WechatOaSettings


class WechatOaConnector(AppConnector[WechatOaSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="wechat_oa",
        title_en="WeChat Official Account",
        title_zh="微信公众号",
        hears=frozenset({Hears.RECEIVE}),
        threading=Threading.CHAT,
        answer_within_seconds=5.0,
        signed=True,
        verified="a simulator of the documented API, and wechatpy 1.8.18 as the other side",
        verified_zh="按文档自写的模拟器，另一端为 wechatpy 1.8.18",
    )
    Settings = WechatOaSettings

    @staticmethod
    def parse(raw: Raw, settings: WechatOaSettings) -> Sequence[Message]:
        reach = Reach(files=bool(settings.secret), profile=settings.ask_profile)
        return (read_message(raw, read_raw(raw), reach),)

    def answer(self, fields: Fields, raw: Raw, accepted: Accepted) -> Answer:
        passive = self.settings.passive_reply
        told = reply(self.door, passive, fields, raw, accepted) if passive is not None else None
        return told or super().answer(fields, raw, accepted)

    async def profile(self, user: str) -> Author:
        """ "获取用户基本信息(UnionID机制)": since 2021-12-27 without nickname and picture."""
        found = Fields(await self.api.get("/cgi-bin/user/info", openid=user, lang="zh_CN"))
        return Author(id=user, name=found.word("remark") or found.word("nickname"))
