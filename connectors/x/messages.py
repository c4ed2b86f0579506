"""Private messages: read back from the newest to what is known, since X lets nobody ask for those since another.

A message that is read again on another day is paid for again: first pages are short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from allears_sdk.codec import decode
from allears_sdk.context import Context
from allears_sdk.message import Attachment, Author, Message, Raw, Role, Visibility
from allears_sdk.numbers import id_of
from allears_sdk.sweep import Listed, Page, Sweep, raw_of, unreadable
from connectors.x.api import Api
from connectors.x.settings import XSettings

KIND = "message"
WINDOW = timedelta(days=30)
FIRST, FURTHER = 5, 100
"""Messages of a page."""
TO_THE_NEWEST = -timedelta(seconds=1)
"""Reading ends at the newest that is known: what is shown late stands above it for a while."""
_IN_APP = "X hands out files of private messages in its app only"


def sweep(api: Api, context: Context, look_back: timedelta) -> Sweep:
    async def page(position: str) -> Page:
        rows, following = await api.messages(position, most=FURTHER if position else FIRST)
        return Page(items=[_listed(row, context.clock.now()) for row in rows], next=following)

    return Sweep(context, page, look_back=look_back, overlap=TO_THE_NEWEST, window=WINDOW, is_strict=True)


def _listed(row: Mapping[str, Any], now: datetime) -> Listed:
    told = row["message"] if isinstance(row["message"], dict) else {}
    name, at = id_of(told.get("id")), _moment(told.get("created_at"))
    if not name or at is None:
        return unreadable(row["message"], now, "a message without an id or a date", said=(name, str(told.get("text"))))
    return Listed(raws=(raw_of(f"dm:{name}", row, now, kind=KIND),), at=at)


class Files(msgspec.Struct, frozen=True, kw_only=True):
    media_keys: list[str] = []


class Said(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    text: str = ""
    created_at: str = ""
    sender_id: str = ""
    dm_conversation_id: str = ""
    attachments: Files | None = None


class User(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""
    username: str = ""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    message: Said
    user: User | None = None


def read(raw: Raw, settings: XSettings) -> Message:
    """Raises ValueError."""
    item = decode(raw.body, Item)
    said, user = item.message, item.user or User()
    is_ours = user.username.lower() == settings.username.lower()
    others = [one for one in said.dm_conversation_id.split("-") if one != said.sender_id]
    files = said.attachments.media_keys if said.attachments else []
    return Message(
        text=said.text or ("" if files else "[no words]"),
        external_id=raw.key,
        thread=(f"dm:{said.dm_conversation_id or said.sender_id}",),
        author=Author(
            role=Role.COMPANY if is_ours else Role.CUSTOMER,
            id=said.sender_id,
            name=user.name.strip(),
            handle=f"@{user.username}" if user.username else "",
        ),
        participants=_partner(others) if is_ours else (),
        posted_at=_moment(said.created_at),
        attachments=tuple(Attachment(name="", title="file", skipped=_IN_APP) for _ in files),
        visibility=Visibility.PRIVATE,
    )


def _partner(others: Sequence[str]) -> tuple[str, ...]:
    """A talk of two is named after both; a group is not."""
    return (others[0],) if len(others) == 1 and others[0].isdecimal() else ()


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
        return found.astimezone(UTC) if found and found.tzinfo else None
    except (ValueError, OverflowError):
        return None
