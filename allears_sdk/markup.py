"""The little HTML that platforms let their customers write: paragraphs, breaks, lists, links."""

from __future__ import annotations

import re
from html.parser import HTMLParser

MAX_CHARACTERS = 200_000
"""Platforms allow some thousands; the whole is kept in the raw."""
_BLANK_LINES = re.compile(r"\n{3,}")
_PARAGRAPHS = frozenset({"p", "blockquote", "pre", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6"})


def plain(markup: str) -> str:
    """As readable text."""
    reader = _Reader()
    reader.feed(markup[:MAX_CHARACTERS])
    reader.close()
    return _BLANK_LINES.sub("\n\n", "".join(reader.parts)).strip()


class _Reader(HTMLParser):
    """A link is shown whole: some platforms put the ends of long ones into invisible spans."""

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
