"""A Douyin account: private messages as they are pushed, comments under its videos by polling."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.connector import (
    Ask,
    Batch,
    Connector,
    ConnectorSpec,
    Cursor,
    Hears,
    Identity,
    Reception,
    Request,
    Threading,
    Wake,
    Words,
)
from allears_sdk.context import Context
from allears_sdk.message import Message, Raw
from allears_sdk.noting import Noting
from allears_sdk.posts import LOOK_BACK, Walk
from allears_sdk.presence import Attendance
from allears_sdk.settings import ChannelSettings
from connectors.douyin.api import VIDEOS, Api
from connectors.douyin.events import (
    ENDED,
    NEW_VIDEO,
    RECALLED,
    RECEIVED,
    SENT,
    SILENT,
    TALK,
    VERIFY,
    Event,
    challenge,
    is_signed,
    raw_of,
    read,
)
from connectors.douyin.login import Login
from connectors.douyin.parse import parse
from connectors.douyin.settings import DouyinSettings
from connectors.douyin.source import Videos

_GAP = "nobody took what Douyin pushed, and messages cannot be read back: look into the account's inbox"


class DouyinConnector(Connector[DouyinSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="douyin",
        title_en="Douyin",
        title_zh="抖音",
        hears=frozenset({Hears.RECEIVE, Hears.POLL}),
        threading=Threading.CHAT,
        answer_within_seconds=5.0,
        look_back=LOOK_BACK,
        signed=True,
        verified="a simulator of the documented API",
        verified_zh="按文档自写的模拟器",
    )
    Settings: ClassVar[type[ChannelSettings]] = DouyinSettings

    def __init__(self, settings: DouyinSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._login = Login(settings, context)
        self._api = Api(settings, context, self._login)
        self._walk = Walk(
            Videos(self._api, context),
            context,
            look_back=settings.look_back,
            posts=timedelta(days=settings.posts_days),
            sweep=timedelta(hours=settings.sweep_hours),
        )
        self._attendance = Attendance(context, settings, reason=_GAP, from_first=True)
        self._noting = Noting(context)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse(raw, settings)

    async def login(self, ask: Ask) -> None:
        await self._login.log_in(ask)

    async def check(self) -> Identity:
        where = f"/in/{self.context.name}"
        details = [Words(f"private messages at {where}", zh=f"私信推送到 {where}")]
        if not self.settings.read_comments:
            details.append(Words("comments are not read", zh="不读评论"))
            return Identity(account=self.settings.open_id, details=details)
        found = await self._api.get(VIDEOS, cursor=0, count=1)
        can = bool(found.get("list"))
        details.append(
            Words("may read videos and comments", zh="可以读取视频和评论") if can else Words("no videos", zh="没有视频")
        )
        return Identity(account=self.settings.open_id, details=details)

    async def streams(self) -> Sequence[str]:
        account = f"douyin://{self.settings.open_id}"
        return (f"{account}/comments", f"{account}/messages")

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        if stream.endswith("/messages"):
            async for batch in self._attendance.batches(cursor):
                yield batch
            return
        if not self.settings.read_comments:
            return
        async with aclosing(self._walk.batches(cursor, limit)) as batches:  # type: ignore[type-var] # a generator
            async for batch in batches:
                yield batch

    async def receive(self, request: Request) -> Reception:
        if request.method != "POST":
            return Reception.refuse(f"method {request.method[:10]}", 405)
        if not is_signed(request, self.settings.secrets):
            return Reception.refuse(
                "the signature does not fit: client_secret, or webhook_secret, is another in the console"
            )
        event = read(request.body)
        if event is not None and event.event == VERIFY:
            return _verified(event)
        return await self._take(event, request)

    async def _take(self, event: Event | None, request: Request) -> Reception:
        kind = event.event if event is not None else ""
        if kind == NEW_VIDEO and self.settings.read_comments:
            return Reception(wakes=(Wake(stream=(await self.streams())[0]),))
        if kind not in (RECEIVED, SENT, RECALLED):
            self._note(kind)
        is_talk = kind.startswith(TALK) and kind not in SILENT
        if event is not None and not is_talk:
            return Reception()
        self._attendance.heard()
        return Reception(raws=(raw_of(event, request),))

    def _note(self, kind: str) -> None:
        """Of each kind once; that the account has taken its grant back, each time."""
        if kind == ENDED:
            self.context.log.warning("grant_taken_back", advice=f"allears channels login {self.context.name}")
        elif kind not in SILENT:
            self._noting.note("push_noted", type=kind or "unreadable")


def _verified(event: Event) -> Reception:
    try:
        answer = challenge(event)
    except (ValueError, RecursionError):
        return Reception.refuse("no challenge", 400)
    return Reception(answer=lambda accepted: answer)
