"""Inline forwards: the mail inside the mail, whose author is the customer."""

from __future__ import annotations

import re

from allears_sdk.message import Author, Message
from normalizer import trim_patterns as words
from normalizer.header_lines import label_value
from normalizer.quotes import Mark, header_block, mark_at
from normalizer.readers.address import parse_addresses
from normalizer.readers.automatic import is_no_reply
from normalizer.readers.mime_header import parse_date

MAX_REMARK = 600
"""Characters that may stand above a forwarded mail: with more, the sender speaks for himself."""
_MAX_LINES_ABOVE = 40
_QUOTE_PREFIX = re.compile(r"^\s?(?:> ?)+")
_MAILTO = re.compile(r"\s*[\[<(]?mailto:([^\s\])>]{1,256})[\])>]?", re.IGNORECASE)


def is_forward_subject(subject: str) -> bool:
    return bool(words.FORWARD_PREFIX.match(subject[:200]))


def find_original(message: Message) -> Message | None:
    """The mail that `message` forwards in its text; none for a reply, or when much is said above it."""
    lines = message.text.split("\n")
    mark = _forward_mark(lines, is_forward_subject(message.subject))
    if mark is None:
        return None
    header = _header_below(lines, mark)
    if header is None:
        return None
    return _original(lines, header, message)


def _forward_mark(lines: list[str], by_subject: bool) -> Mark | None:
    """The first announcement, when it says forward or the subject does, below at most a short remark."""
    said = 0
    for index in range(min(len(lines), _MAX_LINES_ABOVE)):
        mark = mark_at(lines, index)
        if mark is not None:
            return mark if mark.kind == "forwarded" or (by_subject and mark.kind in ("original", "header")) else None
        said += len(lines[index].strip())
        if said > MAX_REMARK:
            return None
    return None


def _header_below(lines: list[str], mark: Mark) -> Mark | None:
    if mark.kind == "header":
        return mark
    for index in range(mark.end, min(mark.end + 4, len(lines))):
        if lines[index].strip(" >"):
            return header_block([_QUOTE_PREFIX.sub("", line) for line in lines[: index + 30]], index)
    return None


def _original(lines: list[str], header: Mark, message: Message) -> Message | None:
    values = _header_values([_QUOTE_PREFIX.sub("", line) for line in lines[header.start : header.end]])
    author = _author(values.get("sender", ""))
    if author is None or is_no_reply(author.email):
        return None
    return Message(
        text=_without_marks(lines[header.end :]),
        subject=values.get("subject", ""),
        author=author,
        posted_at=parse_date(values.get("date", "").encode("utf-8", "replace")),
        attachments=message.attachments,
    )


def _header_values(lines: list[str]) -> dict[str, str]:
    """By kind (sender, subject, date …); a value may go on in the next line."""
    values: dict[str, str] = {}
    kind = ""
    for line in lines:
        found = label_value(line)
        if found:
            kind = found[0]
            values.setdefault(kind, found[1])
        elif kind:
            values[kind] = f"{values[kind]} {line.strip()}".strip()
    return values


def _author(value: str) -> Author | None:
    """None when nobody is named."""
    found = parse_addresses(_MAILTO.sub(r" <\1>", value[:1_000]))
    if not found:
        return None
    address = found[0].address if "@" in found[0].address else ""
    return Author(id=address, email=address, name=found[0].name.strip("*' "))


def _without_marks(lines: list[str]) -> str:
    said = [line for line in lines if line.strip()]
    if said and all(line.lstrip().startswith(">") for line in said):
        lines = [_QUOTE_PREFIX.sub("", line) for line in lines]
    return "\n".join(lines).strip()
