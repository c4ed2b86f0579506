"""A channel of one account at Facebook or Instagram: comments in public, messages in private.

Both are delivered; comments are read back as well, and messages answered.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field

from allears_sdk.connector import Address, Batch, Connector, Cursor, Media, Reception, Request
from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Void
from allears_sdk.message import Author, Raw, Ref
from allears_sdk.noting import Noting
from allears_sdk.posts import Source, Walk
from allears_sdk.presence import Attendance
from connectors._meta.door import Door, refuse
from connectors._meta.envelope import Item, items_of, unreadable
from connectors._meta.graph import Graph
from connectors._meta.settings import MetaSettings
from connectors._meta.talk import raw_of

WINDOW = timedelta(hours=24)
COMMENT_WINDOW = timedelta(days=7)
OFFERED = timedelta(hours=1)
"""After an hour in which nobody took a message Meta stops delivering ("Webhooks Disabled")."""
_GAP = "nobody took what Meta delivered, and messages cannot be read back: look into the account's inbox"


class AccountSettings(MetaSettings):
    """Shared by both."""

    interval_seconds: float = Field(
        default=900, ge=60, le=86_400, description="Time between two looks for comments that were not delivered."
    )
    posts_days: float = Field(
        default=30, gt=0, le=3650, description="Comments under posts that are younger than this are read back."
    )
    sweep_hours: float = Field(
        default=24,
        ge=1,
        le=720,
        description="How often all comments under those posts are read again, for edits that were not delivered.",
    )
    answer_comments: Literal["no", "private"] = Field(
        default="no",
        description='Whether `acknowledge` answers comments too: "private" sends their author a message. In public '
        "nobody is answered.",
    )

    @property
    def account_id(self) -> str:
        raise NotImplementedError


S = TypeVar("S", bound=AccountSettings)


class AccountConnector(Connector[S]):
    platform: ClassVar[str]
    """`object` of its deliveries."""
    max_text: ClassVar[int]
    """Characters of an answer."""

    def __init__(self, settings: S, context: Context) -> None:
        super().__init__(settings, context)
        self.graph = self.make_graph()
        self._door = Door(settings)
        self._walk = Walk(
            self.source(),
            context,
            look_back=settings.look_back,
            posts=timedelta(days=settings.posts_days),
            sweep=timedelta(hours=settings.sweep_hours),
        )
        self._attendance = Attendance(context, settings, reason=_GAP, offered=OFFERED, from_first=True)
        self._noting = Noting(context)

    def make_graph(self) -> Graph:
        return Graph(self.settings, self.context)

    @abstractmethod
    def source(self) -> Source:
        """Of comments to read back."""

    @abstractmethod
    def changed(self, item: Item, received_at: datetime) -> Raw | None:
        """A change that says something. Raises ValueError for one that cannot be read."""

    @abstractmethod
    async def profile(self, customer: str) -> Author:
        """What the platform tells of a customer. Raises as `fetch`."""

    @property
    def sender_id(self) -> str:
        """Whose messages our answers are."""
        return self.settings.account_id

    async def streams(self) -> Sequence[str]:
        account = f"{self.spec.kind}://{self.settings.account_id}"
        return (f"{account}/comments", f"{account}/messages")

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        batches = self._attendance.batches(cursor) if stream.endswith("/messages") else self.read_back(cursor, limit)
        async for batch in batches:
            yield batch

    async def read_back(self, cursor: Cursor | None, limit: int) -> AsyncIterator[Batch]:
        """Comments that were not delivered."""
        if not self.graph.has_token:
            return
        async with aclosing(self._walk.batches(cursor, min(limit, 100))) as batches:  # type: ignore[type-var] # a generator
            async for batch in batches:
                yield batch
        await self.graph.look_at_token()

    async def receive(self, request: Request) -> Reception:
        async def accept() -> Reception:
            try:
                parts = list(items_of(request.body))
            except (ValueError, RecursionError):
                return Reception(raws=(unreadable(request.body, request.received_at),))
            others = {one.object for one in parts if isinstance(one, Item)} - {self.platform}
            if others:
                return refuse(f"deliveries of {', '.join(sorted(others))[:80]}: they have a channel of their own", 400)
            raws = tuple(self._raws(parts, request.received_at))
            return Reception(raws=await self._without_repeats(raws))

        return await self._door.pass_through(request, accept)

    async def fetch(self, ref: Ref) -> Media | Author:
        if customer := str(ref.locator.get("profile") or ""):
            return await self.profile(customer)
        response = await self.graph.download(str(ref.locator["url"]), self.settings.max_attachment_bytes, is_ours=False)
        return Media.of(response)

    async def reply(self, address: Address, text: str, key: str) -> None:
        customer = (address.thread[-1] if address.thread else "").partition("/")[2]
        is_talk = bool(customer)
        if not is_talk and self.settings.answer_comments == "no":
            raise Void("a comment is answered in public: that is left to people")
        if self.context.clock.now() - address.said_at >= (WINDOW if is_talk else COMMENT_WINDOW):
            raise Void("Meta lets a customer be answered for 24 hours, the author of a comment for 7 days")
        if len(text) > self.max_text:
            raise Rejected(f"Meta takes {self.max_text} characters: shorten acknowledge.text_zh and text_en")
        to = {"id": customer} if is_talk else {"comment_id": address.message}
        said = {"recipient": to, "messaging_type": "RESPONSE", "message": {"text": text}}
        await self.graph.post(f"{self.sender_id}/messages", said)

    def _raws(self, parts: Sequence[Item | bytes], received_at: datetime) -> Iterator[Raw]:
        for part in parts:
            if isinstance(part, bytes):
                yield unreadable(part, received_at)
            elif raw := self._raw(part, received_at):
                if part.account != self.settings.account_id:
                    self._noting.note("delivery_noted", another_account=part.account)
                yield raw

    def _raw(self, item: Item, received_at: datetime) -> Raw | None:
        try:
            if not item.is_event:
                return self.changed(item, received_at)
            self._attendance.heard()
            return raw_of(item, received_at)
        except (ValueError, RecursionError):
            return unreadable(item.body(), received_at)

    async def _without_repeats(self, raws: Sequence[Raw]) -> tuple[Raw, ...]:
        """What is only ever said once is not said again by a late redelivery, after it has been edited."""
        once = [raw.key for raw in raws if raw.context.get("is_first")]
        known = await self.context.known(once) if once else frozenset()
        return tuple(raw for raw in raws if not (raw.context.get("is_first") and raw.key in known))

    def note(self, field: str) -> None:
        """What is delivered and not heard is told of once."""
        self._noting.note("delivery_noted", ignored_field=field)
