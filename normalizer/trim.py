"""What a mail's author newly said: the text without the mail it answers and without the signature."""

from __future__ import annotations

import re

from allears_sdk.message import Message
from normalizer.quotes import Mark, follows_plain_title, introduces_quote, is_quoted, is_rule, mark_at
from normalizer.signatures import signature_start

MAX_LINES = 5_000
"""What lies below is not new text: nobody writes that much by hand above a quote."""
_WRAPPED = 60
"""A quoted line at least this long may have spilled over into the next one."""
_BLANK_LINES = re.compile(r"\n{3,}")


def new_text(message: Message) -> str:
    """The reply without quote and signature. A forward is given whole (its `original` is what matters), and so
    is a first message of which nothing would be left."""
    text = message.text.strip()
    if message.original is not None or not text:
        return text
    trimmed = trim_reply(text)
    is_answer = bool(message.thread) or bool(
        re.match(r"\s*(?:re|aw|sv|回复|答复)\s*[:：]", message.subject, re.IGNORECASE)
    )
    return trimmed if trimmed or is_answer else text


def trim_reply(text: str) -> str:
    """Lines of the author's own, wherever they stand around quotes; the signature cut from their end."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")[:MAX_LINES]]
    kept = _own_lines(lines)
    kept = kept[: signature_start(kept)]
    while kept and (not kept[-1].strip() or is_rule(kept[-1])):
        kept.pop()
    return _BLANK_LINES.sub("\n\n", "\n".join(kept)).strip()


def _own_lines(lines: list[str]) -> list[str]:
    kept: list[str] = []
    index = 0
    while index < len(lines):
        mark = mark_at(lines, index)
        if mark is None and is_quoted(lines[index]):
            index = _after_quote(lines, index)
        elif (quote := _announced_quote(lines, index, mark)) is not None:
            index = quote
        elif _ends_here(lines, index, mark) and _says_something(kept):
            break
        else:
            kept.append(lines[index])
            index += 1
    return kept


def _announced_quote(lines: list[str], index: int, mark: Mark | None) -> int | None:
    """Where the `> ` lines begin that an announcement on line `index` leads to."""
    if mark is None and not introduces_quote(lines[index]):
        return None
    if mark is not None and mark.kind != "wrote":
        return None
    below = _next_said(lines, mark.end if mark else index + 1)
    return below if below < len(lines) and is_quoted(lines[below]) else None


def _ends_here(lines: list[str], index: int, mark: Mark | None) -> bool:
    return mark is not None or follows_plain_title(lines, index)


def _says_something(kept: list[str]) -> bool:
    """All below an announcement is quote, unless nothing stands above it: then it is what was said."""
    return any(line.strip() and not is_rule(line) for line in kept)


def _after_quote(lines: list[str], index: int) -> int:
    """Past quoted lines, and past what spilled over from a long one into an unmarked line."""
    while index < len(lines) and is_quoted(lines[index]):
        index += 1
        spilled = index
        while spilled < len(lines) and spilled - index < 3 and _spilled(lines, spilled):
            spilled += 1
        if spilled > index and spilled < len(lines) and is_quoted(lines[spilled]):
            index = spilled
    return index


def _spilled(lines: list[str], index: int) -> bool:
    line = lines[index].strip()
    return bool(line) and not is_quoted(line) and len(lines[index - 1]) >= _WRAPPED


def _next_said(lines: list[str], index: int) -> int:
    while index < len(lines) and not lines[index].strip():
        index += 1
    return index
