"""Where the reading of one conversation stands: its cursor, as values."""

from __future__ import annotations

from dataclasses import dataclass

from allears_sdk.codec import convert, plain
from allears_sdk.connector import Cursor

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """All are Slack's `ts`. A walk goes back from `top` to `floor`; while it is under way `until` says how far it is,
    and `since` stays where it was."""

    version: int = VERSION
    first: str
    """What is older was never asked for."""
    since: str
    """Everything up to here is stored, but for answers in threads older than what a poll reads again."""
    swept: str
    """Up to here those answers are, too."""
    top: str = ""
    floor: str = ""
    until: str = ""
    newest: str = ""
    """The newest message this walk has met."""


def load(cursor: Cursor | None) -> Place | None:
    return convert(dict(cursor), Place) if cursor else None


def dump(place: Place) -> Cursor:
    known: dict[str, object] = plain(place)
    return {name: value for name, value in known.items() if value != ""}
