"""The words of a post. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from allears_sdk.message import Attachment, Ref
from connectors.mastodon.payload import Media, Status

MAX_CHARACTERS = 200_000
"""Servers allow 500 to some thousands; the whole is kept in the raw."""
_TYPES = {"image": "image/jpeg", "gifv": "video/mp4", "video": "video/mp4", "audio": "audio/mpeg"}
_BLANK_LINES = re.compile(r"\n{3,}")
_PARAGRAPHS = frozenset({"p", "blockquote", "pre", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6"})


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


def plain(markup: str) -> str:
    """Of the little HTML that servers let through: paragraphs, breaks, lists, links."""
    reader = _Reader()
    reader.feed(markup[:MAX_CHARACTERS])
    reader.close()
    return _BLANK_LINES.sub("\n\n", "".join(reader.parts)).strip()


class _Reader(HTMLParser):
    """A link is shown whole: servers put the ends of long ones into invisible spans."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self.parts.append("\n")
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag in _PARAGRAPHS and self.parts:
            self.parts.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _PARAGRAPHS:
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def _lines(status: Status) -> Iterator[str]:
    yield plain(status.content)
    yield from (f"- {option.title}" for option in (status.poll.options if status.poll else ()))
    yield from (_described(media) for media in status.media_attachments)


def _described(media: Media) -> str:
    return f"[{media.type or 'file'}: {media.description}]" if media.description else ""
