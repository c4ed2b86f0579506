"""What a mailbox behind an HTTP API offers: lists of ids from a position on, one mail at a time, and a last touch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from allears_sdk.errors import Rejected


class Void(Rejected):
    """The source no longer knows this position: it is listed from the beginning."""


class Gone(Rejected):
    """There is no such thing (any more)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A mail the source names."""

    id: str
    """The same for the life of the mail, wherever it is moved."""
    rank: int = 0
    """Grows with time, roughly: older mails are read first."""
    at: datetime | None = None
    """Aware: when it was received; none where the list does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    listed: Sequence[Listed] = ()
    position: str = ""
    """Where listing goes on once all listed so far is stored; "" where it cannot go on from here."""
    ends: bool = False
    """Nothing more for now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail handed over: whole, or its header where it is too large."""

    body: bytes
    at: datetime | None = None
    """Aware: when it was received."""
    is_whole: bool = True


class Source(Protocol):
    """One folder or label. Raises the SDK's errors, and Void."""

    @property
    def settles_at_once(self) -> int:
        """How many mails one call of `settle` is given."""

    @property
    def place(self) -> Mapping[str, str]:
        """Where its mails lie, for people."""

    def pages(self, position: str, since: datetime | None) -> AsyncIterator[Page]:
        """What was added after `position`, to the last page; from "" on everything, at least what is newer than
        `since`. May list a mail again, or one that is gone."""

    async def fetch(self, listed: Listed) -> Mail | None:
        """None: no mail to be filed. Raises Gone, Rejected for a mail that is not handed over, Unavailable where
        asking again may help."""

    async def settle(self, ids: Sequence[str], *, again: bool) -> None:
        """Mark or remove what is stored whole. `again`: it may have been done, and people may have moved the mails
        since: only what still lies here is touched."""
