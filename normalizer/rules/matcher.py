"""Finds many literals at once, overlapping ones included, in one pass over the text (Aho-Corasick)."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import filterfalse
from operator import itemgetter
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, Implementation

_LATIN = frozenset(string.ascii_letters + string.digits)
_INDEX = itemgetter(0)
_SURROGATE = re.compile("[\ud800-\udfff]")


_Word = tuple[str, bool, bool]
"""As it was given ("" for what is only looked out for); whether it begins and ends alone."""


class Found(NamedTuple):
    words: list[tuple[str, int, int]]
    """Each with start and end, in the order in which they end."""
    seen: set[str]
    """Every literal that occurs, whatever stands around it."""


class Words:
    """Where words stand in a text.

    A word made of Latin letters must stand alone (`order` is not in `border`); `refund*` takes any ending.
    Of `literals` it is only said whether they occur.
    """

    def __init__(self, words: Iterable[str], literals: Iterable[str] = ()) -> None:
        by_literal: dict[str, _Word] = dict.fromkeys(literals, ("", False, False))
        for word in sorted(set(words), key=lambda word: word.endswith("*")):
            stem = word.rstrip("*") if word[0] in _LATIN else word
            alone = word[0] in _LATIN
            by_literal[stem] = (word, alone, alone and stem == word and word[-1] in _LATIN)
        named = [(literal, word) for literal, word in by_literal.items() if word[0]]
        others = [literal for literal, word in by_literal.items() if not word[0]]
        self._words = tuple(word for _, word in named)
        self._characters = frozenset(filter(is_character, others))
        self._literals = (*(literal for literal, _ in named), *filterfalse(is_character, others))
        # ContiguousNFA: a tenth of the memory of a DFA, and half as fast
        self._automaton = AhoCorasick(self._literals, implementation=Implementation.ContiguousNFA, store_patterns=False)

    def find(self, text: str) -> Iterator[tuple[str, int, int]]:
        """Yield (word as it was given, start, end)."""
        yield from self.scan(text).words

    def scan(self, text: str) -> Found:
        matches, words, found = self._matches(text), self._words, []
        count = len(words)
        for index, start, end in [match for match in matches if match[0] < count]:
            name, begins_alone, ends_alone = words[index]
            if begins_alone and start and text[start - 1] in _LATIN:
                continue
            if not (ends_alone and text[end : end + 1] in _LATIN):
                found.append((name, start, end))
        seen = set(map(self._literals.__getitem__, set(map(_INDEX, matches))))
        if self._characters:
            seen |= self._characters & characters(text)
        return Found(found, seen)

    def _matches(self, text: str) -> list[tuple[int, int, int]]:
        try:
            return self._automaton.find_matches_as_indexes(text, overlapping=True)
        except UnicodeEncodeError:
            return self._automaton.find_matches_as_indexes(_SURROGATE.sub("\ufffd", text), overlapping=True)


def is_character(literal: str) -> bool:
    """Whether it is one character, beyond ASCII: of what Chinese texts are searched for these stand everywhere, and two
    thirds of all matches would be theirs."""
    return len(literal) == 1 and not literal.isascii()


@lru_cache(maxsize=1)
def characters(text: str) -> frozenset[str]:
    """All that occur, in a text beyond ASCII. Packs, shapes and model ask for those of one text, one after another."""
    return frozenset() if text.isascii() else frozenset(text)
