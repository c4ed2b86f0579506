"""The workspaces the app is installed in, and the conversations the bot has there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Unavailable
from allears_sdk.slack.api import Api, Who, ask_who
from connectors.slack.events import DIRECT
from connectors.slack.people import People
from connectors.slack.settings import SlackSettings

PAGE_ITEMS = 200
_SHARED = "public_channel,private_channel"
_DIRECT_TYPES = "mpim,im"
_SLACKBOT = "USLACKBOT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    id: str
    kind: str
    """channel, group, mpim or im, as events name it."""
    name: str = ""


class Workspace:
    """One bot token and what it sees."""

    def __init__(self, token: str, settings: SlackSettings, context: Context) -> None:
        self.api = Api(token, context, url=settings.url, calls_per_minute=settings.calls_per_minute)
        self.people = People(self.api, context.clock)
        self.conversations: dict[str, Conversation] = {}
        self._settings = settings
        self._who: Who | None = None

    def facts(self, users: Iterable[str]) -> dict[str, Any]:
        """For `Raw.context`: what is known by now."""
        who = {"url": self._who.url, "bot": self._who.user} if self._who else {}
        return {**who, "people": self.people.facts(users)}

    async def who(self, *, again: bool = False) -> Who:
        if self._who is None or again:
            self._who = await ask_who(self.api)
        return self._who

    async def survey(self) -> Mapping[str, Conversation]:
        """The conversations to read that the bot is in."""
        found: dict[str, Conversation] = {}
        cursor = ""
        while True:
            answer = await self.api.call(
                "users.conversations", **self._wanted(), **({"cursor": cursor} if cursor else {})
            )
            listed = answer.get("channels")
            if not isinstance(listed, list):
                raise Unavailable("users.conversations: the answer is not what Slack documents")
            made = [conversation_of(one) for one in listed if isinstance(one, dict) and one.get("user") != _SLACKBOT]
            found |= {one.id: one for one in made if wants(self._settings, one.id, one.kind)}
            cursor = next_cursor(answer)
            if not cursor:
                break
        self.conversations = found
        return found

    def _wanted(self) -> dict[str, Any]:
        types = f"{_SHARED},{_DIRECT_TYPES}" if self._settings.direct_messages else _SHARED
        return {"types": types, "exclude_archived": True, "limit": PAGE_ITEMS}


class Workspaces:
    def __init__(self, settings: SlackSettings, context: Context) -> None:
        self.all = [Workspace(token.get_secret_value(), settings, context) for token in _tokens(settings)]

    async def of(self, channel: str) -> Workspace:
        """The one whose bot is in the conversation. Raises Rejected where none is."""
        if len(self.all) == 1:
            return self.all[0]
        known = self.known(channel)
        if known is None:
            for workspace in self.all:
                await workspace.survey()
            known = self.known(channel)
        if known is None:
            raise Rejected(f"the bot is in no conversation {channel} any more")
        return known

    def known(self, channel: str) -> Workspace | None:
        """As far as it is known without asking."""
        if len(self.all) == 1:
            return self.all[0]
        return next((one for one in self.all if channel in one.conversations), None)


def wants(settings: SlackSettings, channel: str, kind: str) -> bool:
    """Whether the conversation is to be read."""
    if kind in DIRECT or channel.startswith("D"):
        return settings.direct_messages
    return not settings.channels or channel in settings.channels


def _tokens(settings: SlackSettings) -> list[Any]:
    return [settings.bot_token, *settings.more_bot_tokens]


def conversation_of(one: Mapping[str, Any]) -> Conversation:
    kinds = {"im": one.get("is_im"), "mpim": one.get("is_mpim"), "group": one.get("is_private")}
    kind = next((name for name, is_it in kinds.items() if is_it), "channel")
    return Conversation(id=str(one.get("id", "")), kind=kind, name=str(one.get("name") or one.get("user") or ""))


def next_cursor(answer: Mapping[str, Any]) -> str:
    """Of the following page; "" where there is none."""
    given = answer.get("response_metadata")
    return str(given.get("next_cursor") or "") if isinstance(given, dict) else ""
