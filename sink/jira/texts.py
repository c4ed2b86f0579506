"""Plain words into what Jira shows as these words: an Atlassian document (Cloud), or marked-up text whose marks are
escaped (Data Center). Without that a customer could mention people, embed pictures, or break tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MARKS = re.compile(r"[\[\]{}!|*_^~+]")
_LINE_STARTS = re.compile(r"(?m)^(\s*)([-#]|h[1-6]\.|bq\.)(?=\s|$)")
_BACKSLASH = "&#92;"  # two backslashes would be a line break


def clean(text: str) -> str:
    """Without what XML cannot hold: Jira refuses it."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def to_document(text: str) -> dict[str, Any]:
    """A paragraph for each block, line breaks kept ("Atlassian Document Format", version 1)."""
    blocks = clean(text).split("\n\n")
    return {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": _lines(one)} for one in blocks]}


def to_markup(text: str) -> str:
    """For version 2 of the API ("Text Formatting Notation")."""
    escaped = _MARKS.sub(r"\\\g<0>", clean(text).replace("\\", _BACKSLASH))
    return _LINE_STARTS.sub(r"\1\\\2", escaped)


def plain(document: Any) -> str:
    """All words of a document, whatever else is in it; text stays as it is."""
    return document if isinstance(document, str) else "".join(_words(document))


def _lines(block: str) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    for place, line in enumerate(block.split("\n")):
        nodes += [{"type": "hardBreak"}] if place else []
        nodes += [{"type": "text", "text": line}] if line else []
    return nodes


def _words(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        yield "\n" if node.get("type") in ("hardBreak", "paragraph") else str(node.get("text", ""))
        yield from _words(node.get("content"))
    elif isinstance(node, list):
        for one in node:
            yield from _words(one)
