"""What a raw of a Douyin account says. Pure.

Under a video everybody has a matter of their own; in private whoever writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Role, Visibility
from connectors.douyin.events import RECALLED, RECEIVED, SENT, Content, Event
from connectors.douyin.settings import DouyinSettings
from connectors.douyin.source import COMMENT
from connectors.douyin.times import moment

_FILES = {
    "image": "picture",
    "user_local_image": "picture",
    "video": "video",
    "user_local_video": "video",
}
_IN_APP = "Douyin shows it in its app only"


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    comment_id: str
    comment_user_id: str = ""
    content: str | None = None
    create_time: int | str = 0
    nick_name: str | None = None


def parse(raw: Raw, settings: DouyinSettings) -> Sequence[Message]:
    """Raises BadMessage."""
    try:
        if raw.context.get("kind") == COMMENT:
            return _comment(decode(raw.body, Comment), raw, settings)
        return (_event(decode(raw.body, Event), raw, settings),)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"{raw.key}: {error}") from None


def _comment(comment: Comment, raw: Raw, settings: DouyinSettings) -> Sequence[Message]:
    is_ours = comment.comment_user_id == settings.open_id
    parent, video = str(raw.context.get("parent", "")), str(raw.context.get("video", ""))
    if is_ours and not parent:
        return ()  # said to everybody: no answer to anybody
    return (
        Message(
            text=(comment.content or "").strip() or "[no words]",
            external_id=f"c:{comment.comment_id}",
            kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
            thread=(*((f"c:{parent}",) if parent else ()), f"video:{video}"),
            author=Author(
                role=Role.COMPANY if is_ours else Role.CUSTOMER,
                id=comment.comment_user_id,
                name=(comment.nick_name or "").strip(),
            ),
            posted_at=moment(comment.create_time),
            permalink=str(raw.context.get("link", "")),
            visibility=Visibility.PUBLIC,
        ),
    )


def _event(event: Event, raw: Raw, settings: DouyinSettings) -> Message:
    content = event.read()
    if event.event not in (RECEIVED, SENT, RECALLED):
        reason = f"an event of a kind we do not know: {event.event[:40]}"
        return Message(text=f"[{event.event[:40]}]", is_automatic=True, automatic_reason=reason)
    author = _author(event, content, settings)
    is_ours = author.role is Role.COMPANY
    customer = event.to_user_id if is_ours else event.from_user_id
    room = content.conversation_short_id or customer
    message = Message(
        text=_words(content),
        external_id=f"m:{content.server_message_id}" if content.server_message_id else raw.key,
        thread=(f"talk:{room}",) if room else (),
        author=author,
        participants=(customer,) if is_ours and customer else (),
        posted_at=moment(content.create_time, per_second=1000),
        attachments=_files(content),
    )
    if event.event != RECALLED:
        return message
    return replace(message, text="", revision=raw.key, kind=Kind.WITHDRAWN, attachments=())


def _author(event: Event, content: Content, settings: DouyinSettings) -> Author:
    who = event.from_user_id
    names = [one.nick_name or "" for one in content.user_infos or [] if one.open_id == who]
    is_ours = event.event == SENT or who == settings.open_id
    return Author(
        role=Role.COMPANY if is_ours else Role.CUSTOMER, id=who, name=names[0].strip() if names and who else ""
    )


def _words(content: Content) -> str:
    if content.text:
        return content.text
    return "" if content.message_type in _FILES else f"[{content.message_type[:40] or 'no words'}]"


def _files(content: Content) -> tuple[Attachment, ...]:
    kind = _FILES.get(content.message_type)
    if kind is None:
        return ()
    media_type = "video/mp4" if kind == "video" else "image/jpeg"
    return (Attachment(name="", title=kind, media_type=media_type, skipped=_IN_APP),)
