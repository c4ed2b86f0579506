"""The built-in ticket list: a view of the journal, shown in the console. Filing is delivery; nothing is sent."""

from __future__ import annotations

from allears_sdk.codec import decode, encode
from allears_sdk.complaint import Event
from allears_sdk.settings import DestinationSettings
from allears_sdk.sink import Certainty, Progress, Sink, SinkSpec, Ticket


class ListSettings(DestinationSettings):
    """The built-in list needs no settings of its own."""


class ListSink(Sink[ListSettings]):
    """The complaint is its own ticket."""

    spec = SinkSpec(
        kind="list",
        title_en="Built-in ticket list",
        title_zh="内置工单列表",
        open_certainty=Certainty.A,
        follow_up_certainty=Certainty.A,
        is_view=True,
        verified="the journal itself",
        verified_zh="日志库本身",
    )
    Settings = ListSettings

    def render(self, event: Event, key: str) -> bytes:
        return encode({"complaint_id": event.complaint_id})

    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        return Ticket(id=decode(payload, dict[str, str])["complaint_id"])

    async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        """Nothing to do: the record in the journal has changed already."""
