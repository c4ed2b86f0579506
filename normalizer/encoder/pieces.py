"""Text to the numbers of word pieces, as a unigram vocabulary cuts it: the cut whose pieces are likeliest together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

MOST = 128
"""Pieces read of a text, the marks at both ends among them."""
_END = 40
"""Of them from the text's end, where it is longer: demands come last."""
_HEAD_CHARACTERS, _END_CHARACTERS = 400, 200
_BLANK = re.compile(r"\s+")
_SPACE = "\u2581"
_PREFIX = "query: "
"""With which the encoder was trained."""
_LONGEST = 16
"""Characters of a piece."""
_UNKNOWN_COSTS = 10.0
"""More than the rarest piece does."""
FIRST, _, LAST, UNKNOWN = range(4)
"""Numbers of the marks; 1 fills up."""


class Pieces:
    """A vocabulary: pieces by their number, with log probabilities."""

    def __init__(self, pieces: Sequence[str], scores: Sequence[float]) -> None:
        self._known = {piece: (number, score) for number, (piece, score) in enumerate(zip(pieces, scores, strict=True))}
        for mark in pieces[: UNKNOWN + 1]:
            del self._known[mark]
        self._unknown = min(scores) - _UNKNOWN_COSTS

    def numbers(self, text: str) -> list[int]:
        """At most `MOST`, of a long text those of its head and end."""
        if len(text) > _HEAD_CHARACTERS + _END_CHARACTERS:
            text = f"{text[:_HEAD_CHARACTERS]} {text[-_END_CHARACTERS:]}"
        whole = _BLANK.sub(" ", unicodedata.normalize("NFKC", f"{_PREFIX}{text}"))
        cut = self._cut(_SPACE + whole.replace(" ", _SPACE))
        room = MOST - 2
        if len(cut) > room:
            cut = cut[: room - _END] + cut[-_END:]
        return [FIRST, *cut, LAST]

    def _cut(self, text: str) -> list[int]:
        best: list[tuple[float, int, int]] = [(0.0, 0, 0)] + [(float("-inf"), 0, 0)] * len(text)
        for start in range(len(text)):
            so_far = best[start][0]
            if so_far + self._unknown > best[start + 1][0]:
                best[start + 1] = (so_far + self._unknown, start, UNKNOWN)
            for end in range(start + 1, min(len(text), start + _LONGEST) + 1):
                piece = self._known.get(text[start:end])
                if piece is not None and so_far + piece[1] > best[end][0]:
                    best[end] = (so_far + piece[1], start, piece[0])
        return _back(best)


def _back(best: Sequence[tuple[float, int, int]]) -> list[int]:
    numbers, at = [], len(best) - 1
    while at:
        _, at, number = best[at]
        numbers.append(number)
    return numbers[::-1]
