"""Finds many literal words at once: one trie as one regular expression, every position looked at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_END = ""


class Words:
    """Where words stand in a text, overlapping ones included. Linear in the text.

    A word made of Latin letters must stand alone (`order` is not in `border`); `refund*` takes any ending.
    """

    def __init__(self, words: Iterable[str]) -> None:
        open_ended, closed = set[str](), set[str]()
        for word in words:
            (open_ended if word.endswith("*") else closed).add(word.rstrip("*"))
        self._prefixes = _prefixes(open_ended | closed)
        self._closed = closed - open_ended
        self._open = open_ended
        self._pattern = _compile(open_ended | closed)

    def __iter__(self) -> Iterator[str]:
        yield from self._closed
        yield from (f"{word}*" for word in self._open)

    def find(self, text: str) -> Iterator[tuple[str, int, int]]:
        """Yield (word as it was given, start, end)."""
        if self._pattern is None:
            return
        for match in self._pattern.finditer(text):
            start = match.start()
            for word in self._prefixes[match[1]]:
                end = start + len(word)
                if word in self._open:
                    yield f"{word}*", start, end
                elif not (_is_letter(word[-1]) and end < len(text) and _is_letter(text[end])):
                    yield word, start, end


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _prefixes(words: set[str]) -> Mapping[str, tuple[str, ...]]:
    return {word: tuple(word[:size] for size in range(1, len(word) + 1) if word[:size] in words) for word in words}


def _compile(words: set[str]) -> re.Pattern[str] | None:
    latin = {word for word in words if _is_letter(word[0])}
    parts = [_regex(_trie(words - latin))] if words - latin else []
    if latin:
        parts.append(rf"(?<![a-z0-9]){_regex(_trie(latin))}")
    return re.compile(f"(?=({'|'.join(parts)}))") if parts else None


def _trie(words: Iterable[str]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for word in words:
        node = root
        for character in word:
            node = node.setdefault(character, {})
        node[_END] = {}
    return root


def _regex(node: dict[str, Any]) -> str:
    branches = [re.escape(key) + _regex(child) for key, child in sorted(node.items()) if key != _END]
    if not branches:
        return ""
    body = branches[0] if len(branches) == 1 and _END not in node else f"(?:{'|'.join(branches)})"
    return f"{body}?" if _END in node else body
