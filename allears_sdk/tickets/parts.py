"""Long texts in several notes, for stores whose notes are short."""

from __future__ import annotations

from collections.abc import Callable

_NUMBER_ROOM = 16
_LOOK_BACK_CHARS = 300


def parts_of(text: str, room: int, measure: Callable[[str], int]) -> list[str]:
    """The text in parts of at most `room`, numbered where there are several: `(1/3)`. `measure` says how much of the
    room a character takes. Cut behind white space where some is near, so that no mark is cut in two."""
    if sum(map(measure, text)) <= room:
        return [text]
    parts = list(_cut(text, room - _NUMBER_ROOM, measure))
    return [f"({number}/{len(parts)}) {part}" for number, part in enumerate(parts, 1)]


def _cut(text: str, room: int, measure: Callable[[str], int]) -> list[str]:
    parts, start = [], 0
    while start < len(text):
        end = _end(text, start, room, measure)
        parts.append(text[start:end])
        start = end
    return parts


def _end(text: str, start: int, room: int, measure: Callable[[str], int]) -> int:
    end, taken = start, 0
    while end < len(text) and taken + measure(text[end]) <= room:
        taken += measure(text[end])
        end += 1
    if end == len(text):
        return end
    space = max(text.rfind(mark, max(start, end - _LOOK_BACK_CHARS), end) for mark in (" ", "\n"))
    return space + 1 if space > start else max(end, start + 1)
