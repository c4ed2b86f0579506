"""Answers to customers, delivered like tickets: `Connector.reply` as the sink of an internal destination."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, Literal

from allears.journal.records import Told
from allears_sdk import codec
from allears_sdk.complaint import Event
from allears_sdk.connector import Connector
from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Unavailable, Void
from allears_sdk.settings import AcknowledgeSettings, DestinationSettings
from allears_sdk.sink import Certainty, Progress, Sink, SinkSpec, Ticket


class ReplySettings(DestinationSettings):
    """Made from a channel's `acknowledge`; not in any file."""

    sink: Literal["reply"] = "reply"
    concurrency: int = 1
    timeout_seconds: float = 120
    when_in_doubt: Literal["drop"] = "drop"
    within_hours: float


def reply_settings(acknowledge: AcknowledgeSettings) -> ReplySettings:
    return ReplySettings(within_hours=acknowledge.within_hours)


class ReplySink(Sink[ReplySettings]):
    """`find` gives the channel's running connector, None while there is none or it is paused."""

    spec: ClassVar[SinkSpec] = SinkSpec(
        kind="reply",
        title_en="Acknowledgement",
        title_zh="回执",
        open_certainty=Certainty.D,
        follow_up_certainty=Certainty.D,
    )
    Settings: ClassVar[type[DestinationSettings]] = ReplySettings

    def __init__(self, settings: ReplySettings, context: Context, find: Callable[[], Connector[Any] | None]) -> None:
        super().__init__(settings, context)
        self._find = find

    def render(self, event: Event, key: str) -> bytes:
        """Never needed: an answer is rendered when its complaint is filed."""
        raise Rejected("an answer is written at the opening or never")

    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        told = codec.decode(payload, Told)
        if self.context.clock.now() - told.address.said_at > timedelta(hours=self.settings.within_hours):
            raise Void(f"too late: more than {self.settings.within_hours:g} hours ago")
        connector = self._find()
        if connector is None:
            raise Unavailable("the channel is paused or does not run")
        try:
            await connector.reply(told.address, told.text, key)
        except NotImplementedError:
            raise Void(f"{connector.spec.kind} cannot answer") from None
        return Ticket(id=key)

    async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        """Never asked for: such a line holds the opening alone."""
        raise Void
