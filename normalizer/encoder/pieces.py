"""Text to the numbers of word pieces, as a unigram vocabulary cuts it: the cut whose pieces are likeliest together."""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Sequence

MOST = 128
"""Pieces read of a text, the marks at both ends among them."""
_END = 40
"""Of them from the text's end, where it is longer: demands come last."""
_HEAD_CHARACTERS, _END_CHARACTERS = 400, 200
_SPACE = "\u2581"
_PREFIX = "query: "
"""With which the encoder was trained."""
_UNKNOWN_COSTS = 10.0
"""More than the rarest piece does."""
FIRST, _, LAST, UNKNOWN = range(4)
"""Numbers of the marks; 1 fills up."""


class Pieces:
    """A vocabulary: pieces by their number, with log probabilities."""

    def __init__(self, pieces: Sequence[str], scores: Sequence[float]) -> None:
        self._scores = array("f", scores)
        self._numbers = {piece: number for number, piece in enumerate(pieces) if number > UNKNOWN}
        self._longest: dict[str, int] = {}
        for piece in self._numbers:
            self._longest[piece[0]] = max(len(piece), self._longest.get(piece[0], 0))
        self._unknown = min(scores) - _UNKNOWN_COSTS

    def numbers(self, text: str) -> list[int]:
        """At most `MOST`, of a long text those of its head and end."""
        if len(text) > _HEAD_CHARACTERS + _END_CHARACTERS:
            text = f"{text[:_HEAD_CHARACTERS]} {text[-_END_CHARACTERS:]}"
        words = unicodedata.normalize("NFKC", f"{_PREFIX}{text}").split()
        cut = [number for word in words for number in self._cut(_SPACE + word)]
        room = MOST - 2
        if len(cut) > room:
            cut = cut[: room - _END] + cut[-_END:]
        return [FIRST, *cut, LAST]

    def _cut(self, word: str) -> list[int]:
        """No piece reaches into a second word."""
        best: list[tuple[float, int, int]] = [(0.0, 0, 0)] + [(float("-inf"), 0, 0)] * len(word)
        for start in range(len(word)):
            so_far = best[start][0]
            if so_far + self._unknown > best[start + 1][0]:
                best[start + 1] = (so_far + self._unknown, start, UNKNOWN)
            for end in range(start + 1, min(len(word), start + self._longest.get(word[start], 0)) + 1):
                number = self._numbers.get(word[start:end])
                if number is not None and so_far + self._scores[number] > best[end][0]:
                    best[end] = (so_far + self._scores[number], start, number)
        return _back(best)


def _back(best: Sequence[tuple[float, int, int]]) -> list[int]:
    numbers, at = [], len(best) - 1
    while at:
        _, at, number = best[at]
        numbers.append(number)
    return numbers[::-1]
