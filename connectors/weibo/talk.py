"""Private messages: a push → its raw, and → a Message ("接收普通消息", "接收事件推送"). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from allears_sdk.codec import decode, encode_stable
from allears_sdk.message import Attachment, Author, Message, Raw, Ref, Role, Visibility
from allears_sdk.signing import sha256_hex
from connectors.weibo.payload import Talk
from connectors.weibo.settings import WeiboSettings
from connectors.weibo.times import read_time

TALK = "dm"
SAID = frozenset({"text", "position", "voice", "image"})
EVENT, MENTION = "event", "mention"
"""An event is no word of anybody's; a mention stands in the lists as well."""
_FILES = {"image": ("image/jpeg", ".jpg"), "voice": ("audio/amr", ".amr")}


def read(body: bytes) -> Talk | None:
    """None for what cannot be read."""
    try:
        return decode(body, Talk)
    except (ValueError, RecursionError):
        return None


def raw_of(talk: Talk | None, body: bytes, received_at: datetime) -> Raw:
    """Weibo numbers no message: who, when and what make its key."""
    key = f"unread:{sha256_hex(body)}"
    if talk is not None:
        said = [talk.receiver_id, talk.sender_id, talk.created_at, talk.type, talk.text, talk.data]
        key = f"{TALK}:{sha256_hex(encode_stable(said))[:32]}"
    return Raw(key=key, body=body, media_type="application/json", received_at=received_at, context={"kind": TALK})


def message_of(raw: Raw, settings: WeiboSettings) -> Message:
    """Raises ValueError."""
    if raw.body.lstrip()[:1] == b"<":
        raise ValueError("pushed as XML: have Weibo push JSON (Eps/push/set_format)")
    talk = decode(raw.body, Talk)
    sender, is_public = str(talk.sender_id), talk.type == MENTION
    room = () if is_public else (f"{TALK}:{sender}",)
    return Message(
        text="\n".join(_lines(talk)),
        external_id=raw.key,
        thread=room,
        author=Author(role=Role.COMPANY if sender in settings.own else Role.CUSTOMER, id=sender),
        posted_at=read_time(talk.created_at),
        attachments=_files(talk, has_token=settings.message_token is not None),
        visibility=Visibility.PUBLIC if is_public else Visibility.PRIVATE,
        is_automatic=talk.type == EVENT,
        automatic_reason="an event" if talk.type == EVENT else "",
    )


def _lines(talk: Talk) -> Iterator[str]:
    if talk.type == "position":
        yield f"[{talk.more.latitude}, {talk.more.longitude}]"
    elif talk.type not in SAID and talk.type != MENTION:
        yield f"[{talk.type[:40]}]"
    if talk.text and talk.type not in _FILES:  # there it is Weibo's own: "a picture was sent"
        yield talk.text
    elif talk.type in ("text", MENTION):
        yield "[no words]"


def _files(talk: Talk, *, has_token: bool) -> tuple[Attachment, ...]:
    if talk.type not in _FILES:
        return ()
    media_type, ending = _FILES[talk.type]
    fid = talk.more.tovfid or talk.more.vfid
    reason = "" if has_token else "message_token is not set"
    return (
        Attachment(
            name=f"{talk.type}-{fid}{ending}" if fid else "",
            title=talk.type,
            media_type=media_type,
            ref=Ref(locator={"file": str(fid)}) if fid else None,
            skipped=reason if fid else "Weibo named no file",
        ),
    )
