"""Posts a message to a Slack channel for each complaint, and its follow-ups in the thread below.

Slack has no key that keeps a post from being made twice ("chat.postMessage"). Each carries `metadata` with its key;
what is in doubt is looked up in the channel's history ("conversations.history", "conversations.replies").
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SecretStr, StringConstraints

from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, ConfigError, InDoubt, Rejected, TicketGone, Unavailable
from allears_sdk.sink import Certainty, Progress, SinkSpec, Ticket
from allears_sdk.slack.api import Api, ask_who
from allears_sdk.slack.escapes import escaped
from allears_sdk.slack.faults import Gone
from allears_sdk.tickets import Limits, TicketSink, View, marks_in
from sink._notice import NoticeSettings

EVENT_TYPE = "allears_complaint"
PAGE_ITEMS = 200
MAX_PAGES = 100
_CHANNEL_LOST = ("channel_not_found", "not_in_channel", "is_archived")
_ROOT_LOST = ("thread_not_found", "message_not_found", "cannot_reply_to_message")

ChannelId = Annotated[str, StringConstraints(pattern=r"^[CG][A-Z0-9]{2,}$")]


class SlackNoticeSettings(NoticeSettings):
    """One channel, and an app that is in it."""

    example_name: ClassVar[str] = "slack-alerts"

    sink: Literal["slack_notice"] = Field(default="slack_notice", description="Which kind of ticket store this is.")
    bot_token: SecretStr = Field(
        description="Bot User OAuth Token (xoxb-…) of the app.", examples=["env:SLACK_BOT_TOKEN"]
    )
    channel: ChannelId = Field(
        description="Id of the channel, as Slack shows it at the end of the channel's details.",
        examples=["C0123456789"],
    )
    broadcast: bool = Field(
        default=False, description="True shows follow-ups in the channel too, not in their thread alone."
    )
    look_back_days: float = Field(
        default=7,
        gt=0,
        le=90,
        description="How far back a post in doubt is looked for; older ones are taken for lost.",
    )
    calls_per_minute: float = Field(
        default=45, gt=0, le=1000, description="Calls of one method in a minute; Slack permits about 50."
    )
    url: str = Field(
        default="https://slack.com/api/",
        pattern=r"^https://[^\s@?#]+/$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?/([^\s@?#]*/)?$",
        description="Address of Slack's Web API; GovSlack has its own.",
    )
    concurrency: int = Field(default=1, ge=1, le=4, description="Slack takes about one post a second for a channel.")


class SlackNoticeSink(TicketSink[SlackNoticeSettings]):
    """A post per complaint; its ts is the ticket, follow-ups hang below."""

    spec: ClassVar[SinkSpec] = SinkSpec(
        kind="slack_notice",
        title_en="Slack notice",
        title_zh="Slack 通知",
        open_certainty=Certainty.B,
        follow_up_certainty=Certainty.B,
        verified="a server of our own after Slack's documents, spoken to by slack-sdk",
        verified_zh="按 Slack 文档自写的服务器，由 slack-sdk 与它对话",
    )
    Settings = SlackNoticeSettings
    limits = Limits(subject_chars=150, text_chars=7_000)

    def __init__(self, settings: SlackNoticeSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(
            settings.bot_token.get_secret_value(),
            context,
            url=settings.url,
            calls_per_minute=settings.calls_per_minute,
        )

    async def check(self) -> Identity:
        who = await ask_who(self._api)
        try:
            await self._api.call("conversations.history", channel=self.settings.channel, limit=1)
        except Gone as error:
            raise _no_channel(error) from None
        return Identity(account=f"{who.name} @ {who.team_name}", details=(f"posts to {self.settings.channel}",))

    def compose(self, view: View) -> Any:
        text = escaped(view.text)
        shown = f"*{escaped(view.subject)}*\n{text}" if view.is_opening else text
        return {
            "text": shown,
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": {"event_type": EVENT_TYPE, "event_payload": {"key": view.key, "marks": list(view.marks)}},
        }

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        try:
            answer = await self._api.call("chat.postMessage", channel=self.settings.channel, **request)
        except Gone as error:
            raise _no_channel(error) from None
        return self._ticket(answer)

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        place = {"channel": _channel(ticket), "thread_ts": ticket.id, "reply_broadcast": self.settings.broadcast}
        try:
            await self._api.call("chat.postMessage", **place, **request)
        except Rejected as error:
            raise _lost_root(error) from None

    async def find(self, key: str) -> Ticket | None:
        now = self.context.clock.now()
        oldest, latest = now - timedelta(days=self.settings.look_back_days), now + timedelta(days=1)
        span = {"oldest": f"{oldest.timestamp():.6f}", "latest": f"{latest.timestamp():.6f}"}
        async for post in self._posts("conversations.history", **span):
            if _payload(post).get("key") == key:
                return self._ticket(post)
        return None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        found: set[str] = set()
        try:
            async for post in self._posts("conversations.replies", channel=_channel(ticket), ts=ticket.id):
                told = _payload(post).get("marks")
                found |= marks_in(map(str, told), marks) if isinstance(told, list) else set()
        except Gone as error:
            raise _lost_root(error) from None
        return found

    def _ticket(self, post: Mapping[str, Any]) -> Ticket:
        ts = post.get("ts")
        if not isinstance(ts, str):
            raise InDoubt("chat.postMessage: Slack did not say which post it made")
        return Ticket(id=ts, facts={"channel": self.settings.channel})

    async def _posts(self, method: str, **given: Any) -> AsyncIterator[Mapping[str, Any]]:
        """All of them, page by page. Raises InDoubt where they have no end."""
        asked = {"channel": self.settings.channel, **given, "include_all_metadata": True, "limit": PAGE_ITEMS}
        for _ in range(MAX_PAGES):
            answer = await self._api.call(method, **asked)
            posts = answer.get("messages")
            if not isinstance(posts, list):
                raise Unavailable(f"{method}: the answer is not what Slack documents")
            for post in posts:
                if isinstance(post, dict):
                    yield post
            more = answer.get("response_metadata")
            cursor = more.get("next_cursor") if isinstance(more, dict) else ""
            if not cursor:
                return
            asked = {**asked, "cursor": cursor}
        raise InDoubt(
            f"{method}: more than {MAX_PAGES * PAGE_ITEMS} posts; lower look_back_days, or look there yourself"
        )


def _channel(ticket: Ticket) -> str:
    return str(ticket.facts.get("channel", ""))


def _payload(post: Mapping[str, Any]) -> Mapping[str, Any]:
    """What we left in a post of ours."""
    metadata = post.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT_TYPE:
        return {}
    payload = metadata.get("event_payload")
    return payload if isinstance(payload, dict) else {}


def _lost_root(error: Rejected) -> AllearsError:
    if any(code in str(error) for code in _ROOT_LOST):
        return TicketGone(f"the post was deleted: {error}")
    return _no_channel(error) if isinstance(error, Gone) else error


def _no_channel(error: Rejected) -> AllearsError:
    if any(code in str(error) for code in _CHANNEL_LOST):
        return ConfigError(f"Slack lets the app not into this channel ({error}): is its id right? then invite the app")
    return Rejected(str(error), detail=error.detail)
