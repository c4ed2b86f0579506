"""One message of a conversation, pushed as an event or listed in its history: what it is known by. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from allears_sdk.codec import convert, decode
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex

MEDIA_TYPE = "application/json"
SAID = "said"
WITHDRAWN = "withdrawn"
TOMBSTONE = "tombstone"
DIRECT = frozenset({"im", "mpim"})

NOTICES = frozenset(
    {
        "app_conversation_join",
        "assistant_app_thread",
        "bot_add",
        "bot_disable",
        "bot_enable",
        "bot_remove",
        "channel_archive",
        "channel_canvas_updated",
        "channel_convert_to_private",
        "channel_convert_to_public",
        "channel_join",
        "channel_leave",
        "channel_name",
        "channel_posting_permissions",
        "channel_purpose",
        "channel_topic",
        "channel_unarchive",
        "ekm_access_denied",
        "group_archive",
        "group_join",
        "group_leave",
        "group_name",
        "group_purpose",
        "group_topic",
        "group_unarchive",
        "huddle_thread",
        "joiner_notification",
        "message_replied",
        "pinned_item",
        "reminder_add",
        "sh_room_created",
        "sh_room_shared",
        "unpinned_item",
    }
)
"""Subtypes of "message event" in which nobody says anything. One that is not listed here is kept."""

_TS = re.compile(r"\d{10}\.\d{6}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A message, and the conversation it was said in."""

    channel: str
    kind: str
    """Slack's `channel_type`: channel, group, im, mpim; "" where it does not say."""
    ts: str
    """Its id in the conversation, and when it was said."""
    post: Mapping[str, Any]
    """The message as it is now; of a deleted one as it was, where Slack tells."""
    is_deleted: bool = False
    changed_ts: str = ""
    """When it was edited or deleted, where Slack tells."""

    @property
    def key(self) -> str:
        """Without the team: two workspaces name the team of a shared channel differently, never the channel."""
        return f"{self.channel}:{self.ts}"

    @property
    def mark(self) -> str:
        """Which version of it: link previews and reactions make no other one."""
        if self.is_deleted:
            return WITHDRAWN
        return f"edited {self.changed_ts}" if self.changed_ts else SAID

    @property
    def is_direct(self) -> bool:
        return self.kind in DIRECT or self.channel.startswith("D")


def payload_of(body: bytes | str) -> dict[str, Any]:
    """What an HTTP body or an envelope of Socket Mode holds. Raises ValueError."""
    outer = decode(body, dict[str, Any])
    inner = outer.get("payload") if "envelope_id" in outer else outer
    return convert(inner, dict[str, Any])


def pushed(payload: Mapping[str, Any]) -> Item | None:
    """The message an `event_callback` brings; None where it brings none. Raises ValueError for one without a place."""
    event = payload.get("event")
    if payload.get("type") != "event_callback" or not isinstance(event, dict) or event.get("type") != "message":
        return None
    channel, kind = str(event.get("channel", "")), str(event.get("channel_type", ""))
    subtype = event.get("subtype")
    if subtype == "message_deleted":
        before = event.get("previous_message")
        post = before if isinstance(before, dict) else {}
        ts = event.get("deleted_ts") or post.get("ts")
        return _item(channel, kind, post, ts=ts, is_deleted=True, changed=event.get("event_ts"))
    if subtype == "message_changed":
        changed = event.get("message")
        return listed(channel, kind, changed if isinstance(changed, dict) else {})
    return listed(channel, kind, event)


def listed(channel: str, kind: str, post: Mapping[str, Any]) -> Item | None:
    """A message of the history; None where nobody says anything in it. Raises ValueError for one without a time."""
    subtype = post.get("subtype")
    if isinstance(subtype, str) and subtype in NOTICES:
        return None
    is_deleted = subtype == TOMBSTONE
    edited = post.get("edited")
    changed = edited.get("ts") if isinstance(edited, dict) and not is_deleted else ""
    return _item(channel, kind, post, ts=post.get("ts"), is_deleted=is_deleted, changed=changed)


def _item(channel: str, kind: str, post: Mapping[str, Any], *, ts: Any, is_deleted: bool, changed: Any) -> Item:
    if not channel or not isinstance(ts, str) or not is_ts(ts):
        raise ValueError("a message without its channel or ts")
    changed_ts = changed if isinstance(changed, str) and is_ts(changed) else ""
    return Item(channel=channel, kind=kind, ts=ts, post=post, is_deleted=is_deleted, changed_ts=changed_ts)


def raw_of(item: Item, body: bytes, received_at: datetime, context: Mapping[str, Any]) -> Raw:
    return Raw(
        key=item.key,
        digest=item.mark,
        body=body,
        media_type=MEDIA_TYPE,
        received_at=received_at,
        context=dict(context),
    )


def unreadable(body: bytes, received_at: datetime, context: Mapping[str, Any]) -> Raw:
    """For what came from Slack and cannot be placed: `parse` makes a letter of it."""
    return Raw(
        key=f"unread:{sha256_hex(body)}",
        body=body,
        media_type=MEDIA_TYPE,
        received_at=received_at,
        context=dict(context),
    )


def is_ts(text: str) -> bool:
    """`1750000000.000200`: as text they sort by time; as floats they would lose digits."""
    return _TS.fullmatch(text) is not None


def moment_of(ts: str) -> datetime:
    seconds, _, micro = ts.partition(".")
    return datetime.fromtimestamp(int(seconds), UTC) + timedelta(microseconds=int(micro))


def ts_of(moment: datetime) -> str:
    """The same moment as Slack writes it."""
    seconds = int(moment.replace(microsecond=0).timestamp())
    return f"{max(seconds, 0):010d}.{moment.microsecond:06d}"
