"""What all mailboxes behind an HTTP API share: a walk for each stream, and how it is polled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol, TypeVar

from allears_sdk.connector import Batch, Connector, Cursor
from allears_sdk.context import Context
from allears_sdk.settings import ChannelSettings
from connectors._mail.api_walk import ApiWalk
from connectors._mail.source import Source

S = TypeVar("S", bound=ChannelSettings)


class Handling(Protocol):
    """The settings that say what becomes of a mail."""

    @property
    def after(self) -> str:
        """Once it is stored; "nothing": it is left alone."""

    @property
    def max_mail_bytes(self) -> int:
        """Of a larger one only the header is read."""


class ApiMailConnector(Connector[S]):
    """A mailbox whose streams are walked one like the other; what the API is like, each connector says itself."""

    walks: Mapping[str, ApiWalk]
    """By stream; set by the connector when it is made."""

    async def streams(self) -> Sequence[str]:
        return tuple(self.walks)

    async def before_poll(self, stream: str, hint: Mapping[str, Any]) -> None:
        """See that the source tells of new mail, where it has to be asked again and again."""

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        look_back = self.settings.look_back if self.settings.look_back is not None else self.spec.look_back
        await self.before_poll(stream, hint)
        async with aclosing(self.walks[stream].batches(cursor, limit, look_back)) as batches:
            async for batch in batches:
                yield batch


def make_walks(sources: Mapping[str, Source], handling: Handling, context: Context) -> Mapping[str, ApiWalk]:
    """One for each stream."""
    settles = handling.after != "nothing"
    return {
        stream: ApiWalk(source, context, max_mail_bytes=handling.max_mail_bytes, settles=settles)
        for stream, source in sources.items()
    }
