"""Cuts a text where its evidence begins and ends, so that a page can mark the exact words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Words that made a field say what it says; places are characters (code points), end exclusive."""

    field: str
    start: int
    end: int
    anchor: str = ""
    """Id by which the record links to these words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A run of text in which the same fields are marked."""

    text: str
    fields: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()
    """Marks that begin here."""


def cut(text: str, marks: Iterable[Mark]) -> Sequence[Segment]:
    """Segments that put together are `text`; overlapping marks share the segments they have in common.
    Marks that reach outside the text are left out."""
    valid = sorted(
        (mark for mark in marks if 0 <= mark.start < mark.end <= len(text)), key=lambda mark: (mark.start, -mark.end)
    )
    edges = sorted({0, len(text), *(mark.start for mark in valid), *(mark.end for mark in valid)})
    return [
        _segment(text, start, end, [mark for mark in valid if mark.start <= start and end <= mark.end])
        for start, end in pairwise(edges)
    ]


def _segment(text: str, start: int, end: int, marks: Sequence[Mark]) -> Segment:
    return Segment(
        text=text[start:end],
        fields=tuple(dict.fromkeys(mark.field for mark in marks)),
        anchors=tuple(mark.anchor for mark in marks if mark.anchor and mark.start == start),
    )
