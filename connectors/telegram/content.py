"""What a message holds: its words, and its files as references. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from allears_sdk.message import Attachment, Ref
from connectors.telegram.payload import Entity, File, Location, Post

_LINK = "text_link"
_UTF16 = "utf-16-le"
_KINDS: dict[str, tuple[str, str]] = {
    "live_photo": ("video/mp4", "mp4"),
    "video": ("video/mp4", "mp4"),
    "video_note": ("video/mp4", "mp4"),
    "animation": ("video/mp4", "mp4"),
    "audio": ("audio/mpeg", "mp3"),
    "voice": ("audio/ogg", "ogg"),
    "document": ("application/octet-stream", ""),
}
"""Kinds of files, with media type and ending for those that come without. An animation is there as a document, too."""

_UNREADABLE = ("story", "checklist", "paid_media", "game")
"""Bots are told that there is one; the record says so."""


def text_of(post: Post) -> str:
    """All that can be read, line by line. What has no words of its own (a place, a sticker) is written out."""
    said = _with_links(post.text, post.entities) or _with_links(post.caption, post.caption_entities)
    return "\n".join([*([said] if said else []), *_written_out(post)])


def files_of(post: Post, max_bytes: int) -> tuple[Attachment, ...]:
    """Only those up to `max_bytes` can be asked for."""
    found = [_attachment("photo", max(post.photo, key=_size), post, max_bytes)] if post.photo else []
    seen = set()
    for kind in _KINDS:
        file: File | None = getattr(post, kind)
        if file is not None and file.file_unique_id not in seen:
            seen.add(file.file_unique_id)
            found.append(_attachment(kind, file, post, max_bytes))
    return tuple(found)


def _size(file: File) -> int:
    return file.file_size


def _attachment(kind: str, file: File, post: Post, max_bytes: int) -> Attachment:
    usual, ending = ("image/jpeg", "jpg") if kind == "photo" else _KINDS[kind]
    told_at = datetime.fromtimestamp(post.date, UTC)
    name = file.file_name or (f"{kind}-{told_at:%Y%m%d-%H%M%S}-{post.message_id}.{ending}" if ending else "")
    is_large = file.file_size > max_bytes
    return Attachment(
        name=name,
        title=kind.replace("_", " "),
        media_type=file.mime_type or usual,
        size=file.file_size,
        ref=None if is_large else Ref(locator={"file_id": file.file_id, "name": name}),
        skipped=f"{file.file_size / 1e6:.1f} MB: Telegram hands out files of up to {max_bytes / 1e6:g} MB to bots"
        if is_large
        else "",
    )


def _with_links(text: str, entities: Sequence[Entity]) -> str:
    """Addresses that stand behind words follow them. Entities count in UTF-16 code units."""
    units = text.encode(_UTF16, "surrogatepass")
    for entity in sorted(entities, key=lambda one: one.offset, reverse=True):
        end = 2 * (entity.offset + entity.length)
        if entity.type == _LINK and entity.url and 0 < end <= len(units):
            units = units[:end] + f" ({entity.url})".encode(_UTF16, "surrogatepass") + units[end:]
    return units.decode(_UTF16, "replace")


def _written_out(post: Post) -> Iterator[str]:
    sticker = post.sticker or post.dice
    if sticker is not None:
        yield sticker.emoji or "[sticker]"
    if post.venue is not None:
        yield f"📍 {post.venue.title}, {post.venue.address} ({_place(post.venue.location)})"
    elif post.location is not None:
        yield f"📍 {_place(post.location)}"
    if post.contact is not None:
        yield f"☎ {post.contact.name} {post.contact.phone_number}"
    if post.poll is not None:
        yield "\n- ".join((post.poll.question, *(option.text for option in post.poll.options)))
    yield from (f"[{kind}]" for kind in _UNREADABLE if getattr(post, kind) is not None)


def _place(location: Location) -> str:
    return f"{location.latitude:.6f}, {location.longitude:.6f}"
