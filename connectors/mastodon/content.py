"""The words of a post. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from allears_sdk.markup import plain
from allears_sdk.message import Attachment, Ref
from connectors.mastodon.payload import Media, Status

_TYPES = {"image": "image/jpeg", "gifv": "video/mp4", "video": "video/mp4", "audio": "audio/mpeg"}


def text_of(status: Status) -> str:
    """Its words, a poll's options, and how its pictures are described."""
    return "\n".join(line for line in _lines(status) if line)


def files_of(status: Status) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(
            name="",
            title=media.type or "file",
            media_type=_TYPES.get(media.type, "application/octet-stream"),
            ref=Ref(locator={"status": status.id, "media": media.id}),
        )
        for media in status.media_attachments
    )


def _lines(status: Status) -> Iterator[str]:
    yield plain(status.content)
    yield from (f"- {option.title}" for option in (status.poll.options if status.poll else ()))
    yield from (_described(media) for media in status.media_attachments)


def _described(media: Media) -> str:
    return f"[{media.type or 'file'}: {media.description}]" if media.description else ""
