"""What a mail's author newly said: the text without the mail it answers and without the signature."""

from __future__ import annotations

import re

from allears_sdk.message import Message
from normalizer.header_lines import MAX_LINE
from normalizer.quotes import Mark, is_plain, is_quoted, is_rule, mark_at
from normalizer.signatures import postscript, signature_start
from normalizer.trim_patterns import BANNER, plain_view

MAX_LINES = 5_000
"""What lies below is not new text: nobody writes that much by hand above a quote."""
_WRAPPED = 60
"""A quoted line at least this long may have spilled over into the next one."""
_BLANK_LINES = re.compile(r"\n{3,}")
_IS_ANSWER = re.compile(r"\s*(?:re|aw|sv|antw|res|odp|回复|答复|回覆)\s*[:：]", re.IGNORECASE)


def new_text(message: Message) -> str:
    """The reply without quote and signature. A forward is given whole (its `original` is what matters), and so
    is a first message of which nothing would be left."""
    text = message.text.strip()
    if message.original is not None or not text:
        return text
    trimmed = trim_reply(text)
    is_answer = bool(message.thread) or bool(_IS_ANSWER.match(message.subject))
    return trimmed if trimmed or is_answer else text


def trim_reply(text: str) -> str:
    """Lines of the author's own, wherever they stand around quotes; the signature cut from their end."""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    lines = [line.rstrip() for line in text.split("\n", MAX_LINES)[:MAX_LINES]]
    kept = [lines[index] for index in _own_lines(lines)]
    kept = kept[_after_banner(kept) :]
    start = signature_start(kept)
    kept = kept[:start] + postscript(kept[start:])
    while kept and (not kept[-1] or is_rule(kept[-1])):
        kept.pop()
    said = "\n".join(kept).strip()
    return _BLANK_LINES.sub("\n\n", said) if "\n\n\n" in said else said


def _after_banner(lines: list[str]) -> int:
    """Past a paragraph at the top with which a gateway warns of mail from outside, unless nothing stands below it."""
    top = next((index for index, line in enumerate(lines) if line), 0)
    if not lines or not BANNER.match(plain_view(lines[top][:MAX_LINE])):
        return 0
    end = next((index for index in range(top, min(top + 8, len(lines))) if not lines[index]), 0)
    return end if any(lines[end:]) else 0


def _own_lines(lines: list[str]) -> list[int]:
    kept: list[int] = []
    index, floor, count = 0, 0, len(lines)
    while index < count:
        line = lines[index]
        if not line or is_plain(line):
            kept.append(index)
            index += 1
            continue
        mark = mark_at(lines, index, floor)
        if mark is not None:
            while kept and kept[-1] >= mark.start:
                kept.pop()
            below = _below_announcement(lines, mark, kept)
            if below is None:
                break
            kept.extend(range(mark.start, mark.end) if below == mark.end else ())
            index = floor = below
        elif is_quoted(line):
            index = floor = _after_quote(lines, index)
        else:
            kept.append(index)
            index += 1
    return kept


def _below_announcement(lines: list[str], mark: Mark, kept: list[int]) -> int | None:
    """Where own words may go on: behind the announcement when nothing stands above it (then it is itself what
    was said), at the marked lines it leads to; none when all below is quote."""
    said = any(lines[index] and not is_rule(lines[index]) for index in kept)
    if not said:
        kept.clear()
    below = _next_said(lines, mark.end)
    if below < len(lines) and is_quoted(lines[below]) and (mark.kind == "wrote" or not said):
        return _after_quote(lines, below)
    return None if said else mark.end


def _after_quote(lines: list[str], index: int) -> int:
    """Past quoted lines, and past what spilled over from a long one into an unmarked line."""
    count = len(lines)
    while index < count and is_quoted(lines[index]):
        index += 1
        while index < count and lines[index].startswith(">"):
            index += 1
        spilled = index
        while spilled < count and spilled - index < 3 and _spilled(lines, spilled):
            spilled += 1
        if spilled > index and spilled < count and is_quoted(lines[spilled]):
            index = spilled
    return index


def _spilled(lines: list[str], index: int) -> bool:
    return len(lines[index - 1]) >= _WRAPPED and bool(lines[index]) and not is_quoted(lines[index])


def _next_said(lines: list[str], index: int) -> int:
    while index < len(lines) and not lines[index]:
        index += 1
    return index
