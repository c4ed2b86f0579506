"""Slack: events pushed over Socket Mode or HTTP, and the histories of its conversations, which own the cursors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
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
from allears_sdk.errors import AuthError, ConfigError
from allears_sdk.message import Author, Message, Raw, Ref
from allears_sdk.settings import ChannelSettings, SecretStr
from allears_sdk.slack.api import Api
from allears_sdk.slack.faults import Gone
from connectors.slack import callback
from connectors.slack.answers import post_answer
from connectors.slack.events import Item, payload_of, pushed, raw_of, unreadable
from connectors.slack.files import fetch_file
from connectors.slack.history import LOOK_BACK, History
from connectors.slack.parse import parse, people_in
from connectors.slack.settings import SlackSettings
from connectors.slack.socket_mode import Frame, SocketMode
from connectors.slack.workspaces import Workspace, Workspaces, wants

INTERRUPTED = "interrupted"


class SlackConnector(Connector[SlackSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="slack",
        title_en="Slack",
        title_zh="Slack",
        hears=frozenset({Hears.POLL, Hears.LISTEN, Hears.RECEIVE}),
        threading=Threading.CHAT,
        answer_within_seconds=3,
        look_back=LOOK_BACK,
        signed=True,
        verified="a server of our own after Slack's documents, which slack-sdk's clients accept",
        verified_zh="按 Slack 文档自写的服务器，slack-sdk 的客户端认可它",
    )
    Settings: ClassVar[type[ChannelSettings]] = SlackSettings

    def __init__(self, settings: SlackSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._workspaces = Workspaces(settings, context)
        self._app = Api(
            _secret(settings.app_token), context, url=settings.url, calls_per_minute=settings.calls_per_minute
        )
        self._histories: dict[str, History] = {}
        self._stopped = asyncio.Event()

    async def stop(self) -> None:
        self._stopped.set()

    # Polling

    async def streams(self) -> Sequence[str]:
        """One for each conversation."""
        found: dict[str, History] = {}
        for workspace in self._workspaces.all:
            who = await workspace.who()
            for conversation in (await workspace.survey()).values():
                name = f"slack://{who.team}/{conversation.id}"
                known = self._histories.get(name)
                found[name] = known or History(workspace, conversation, self.settings, self.context.clock)
        self._histories = found
        return tuple(found)

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        history = self._histories.get(stream)
        if history is None:
            await self.streams()
            history = self._histories.get(stream)
        try:
            if history is not None:
                async for batch in history.read(cursor, limit, is_interrupted=bool(hint.get(INTERRUPTED))):
                    yield batch
        except Gone as error:  # the bot was taken out of it, or it was archived: with the next survey it goes
            self.context.log.info("conversation_gone", stream=stream, reason=str(error))

    # Socket Mode

    async def listen(self) -> AsyncIterator[Batch | Wake]:
        if self.settings.app_token is None:
            await self._stopped.wait()  # nothing to hear here
            return
        line = SocketMode(self._socket_url, self.context.remote)
        try:
            async for frames in line.frames():
                if any(frame.type == "hello" for frame in frames):
                    for stream in tuple(self._histories) or await self.streams():
                        yield Wake(stream=stream, hint={INTERRUPTED: True})  # what was said while nobody listened
                if raws := self._raws_in(frames):
                    yield Batch(raws=raws)
                for frame in frames:
                    await line.ack(frame)
        finally:
            await line.close()

    async def _socket_url(self) -> str:
        try:
            answer = await self._app.call("apps.connections.open")
        except AuthError as error:
            raise AuthError(f"app_token: {error}", detail=error.detail) from None
        return str(answer.get("url", ""))

    def _raws_in(self, frames: Sequence[Frame]) -> list[Raw]:
        """In the order of their words: frames come in any."""
        now = self.context.clock.now()
        raws = [raw for frame in frames if frame.envelope for raw in self._raws(frame.body, now)]
        return sorted(raws, key=lambda raw: raw.key.rpartition(":")[2])

    # Events API

    async def receive(self, request: Request) -> Reception:
        if request.method != "POST":
            return _refuse("not a POST", Answer(status=405, headers={"Allow": "POST"}))
        if self.settings.signing_secret is None:
            return _refuse("events come, but signing_secret is not set", callback.REFUSED)
        reason = callback.refusal(request, _secret(self.settings.signing_secret))
        if reason:
            return _refuse(reason, callback.REFUSED)
        return self._received(request)

    def _received(self, request: Request) -> Reception:
        try:
            payload = payload_of(request.body)
        except ValueError:
            return Reception(raws=(unreadable(request.body, request.received_at, {}),))
        if payload.get("type") == "url_verification":
            answer = callback.challenge(payload.get("challenge"))
            return Reception(answer=lambda accepted: answer)
        if payload.get("type") == "app_rate_limited":
            self.context.log.warning("events_left_out", team=str(payload.get("team_id", "")))
            return Reception(wakes=tuple(Wake(stream=one, hint={INTERRUPTED: True}) for one in self._histories))
        return Reception(raws=self._raws(request.body, request.received_at))

    def _raws(self, body: bytes, received_at: datetime) -> tuple[Raw, ...]:
        """What an event brings: a message of a conversation that is read here, or nothing."""
        try:
            item = pushed(payload_of(body))
        except ValueError:
            return (unreadable(body, received_at, {}),)
        if item is None or not wants(self.settings, item.channel, item.kind):
            return ()
        return (raw_of(item, body, received_at, self._facts(item)),)

    def _facts(self, item: Item) -> dict[str, Any]:
        """What is known without asking."""
        workspace = self._workspaces.known(item.channel)
        return {} if workspace is None else workspace.facts(people_in(item.post))

    # What is said, and what is asked for afterwards

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse(raw, settings)

    async def fetch(self, ref: Ref) -> Media | Author:
        workspace = await self._workspaces.of(str(ref.locator.get("channel", "")))
        if "user" in ref.locator:
            return await workspace.people.find(str(ref.locator["user"]))
        return await fetch_file(ref.locator, workspace, self.settings)

    async def reply(self, address: Address, text: str, key: str) -> None:
        channel, _, _ = address.message.partition(":")
        await post_answer((await self._workspaces.of(channel)).api, address, text)

    async def check(self) -> Identity:
        if self.settings.app_token is not None:
            await self._socket_url()
        accounts, details = [], []
        for workspace in self._workspaces.all:
            who = await workspace.who(again=True)
            accounts.append(f"@{who.name} in {who.team_name or who.team}")
            details += await self._readable(workspace, who.scopes)
        self._check_listed()
        return Identity(account=", ".join(accounts), details=(*details, _heard(self.settings)))

    async def _readable(self, workspace: Workspace, scopes: Sequence[str]) -> list[Words]:
        found = [one for one in (await workspace.survey()).values() if one.kind in ("channel", "group")]
        names = ", ".join(f"#{one.name or one.id}" for one in found[:10])
        direct = len(workspace.conversations) - len(found)
        lines = [Words("no channel yet: invite the bot to one", zh="还不在任何频道里：请把机器人邀请进去")]
        if found:
            lines = [Words(f"{len(found)} channels: {names}", zh=f"{len(found)} 个频道：{names}")]
        if self.settings.direct_messages:
            lines.append(Words(f"{direct} direct conversations", zh=f"{direct} 个私信会话"))
        else:
            lines.append(Words("no direct messages", zh="不读私信"))
        wanted = ("users:read", "files:read", *(("chat:write",) if self.settings.acknowledges else ()))
        lacking = [scope for scope in wanted if scopes and scope not in scopes]
        if lacking:
            lines.append(Words(f"the token lacks {', '.join(lacking)}", zh=f"令牌缺少权限：{'、'.join(lacking)}"))
        return lines

    def _check_listed(self) -> None:
        seen = {channel for workspace in self._workspaces.all for channel in workspace.conversations}
        absent = [channel for channel in self.settings.channels if channel not in seen]
        if absent:
            raise ConfigError(f"the bot is not in {', '.join(absent)}: write /invite with its name there")


def _refuse(reason: str, answer: Answer) -> Reception:
    return Reception(refused=reason, answer=lambda accepted: answer)


def _secret(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def _heard(settings: SlackSettings) -> Words:
    if settings.app_token is not None:
        return Words("Socket Mode: heard at once", zh="Socket Mode：即时收到")
    if settings.signing_secret is not None:
        return Words("Events API: heard at once", zh="Events API：即时收到")
    return Words("heard by polling", zh="定时读取")
