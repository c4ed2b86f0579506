"""Contacts stay masked until somebody asks: in fields, and in running text without losing its places."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from allears_sdk.complaint import Contact
from allears_sdk.masking import KINDS, is_hotline, mask_text

_CHUNK = re.compile(r"[^\n。！？；，;,!?]*[\n。！？；，;,!?]?")
"""No masked kind of data holds one of these."""

_PLAIN_KEYS = frozenset(
    {"id", "external_id", "message", "messages", "thread", "known_as", "complaint_id", "event_id", "key"}
)
"""Ids, some of which look like mail addresses: they join things together and name nobody's inbox."""

_ALIKE = frozenset({"phone", "wechat", "email"})


@dataclass(frozen=True, slots=True)
class Veiled:
    """A text with contacts masked, and where its places have gone."""

    text: str
    edits: Sequence[tuple[int, int, int, int]]
    """Masked runs in order: (start, end) in the original, (start, end) in `text`."""

    def place(self, start: int, end: int) -> tuple[int, int]:
        """A span of the original → the span of `text` that shows it, widened to whole masked runs."""
        return self._move(start, 2), self._move(end, 3)

    def _move(self, position: int, edge: int) -> int:
        index = bisect_right(self.edits, position, key=lambda edit: edit[0]) - 1
        if index < 0:
            return position
        edit = self.edits[index]
        if edit[0] == position and edge == 3:
            return edit[2]
        return edit[edge] if position < edit[1] else position + edit[3] - edit[1]


def veil(text: str) -> str:
    return mask_text(text, KINDS)


def veil_text(text: str, words: Collection[str] = ()) -> Veiled:
    """Masks running text, and in it the `words` known to be contacts; cheap when there is nothing to mask."""

    def hide(part: str) -> str:
        return veil(known.sub(lambda match: veil_word(match.group()), part) if known else part)

    known = re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True)))) if words else None
    if hide(text) == text:
        return Veiled(text, ())
    parts: list[str] = []
    edits: list[tuple[int, int, int, int]] = []
    at = shown = 0
    for match in _CHUNK.finditer(text):
        chunk, masked = match.group(), hide(match.group())
        if chunk != masked:
            head, tail = _common(chunk, masked)
            edits.append((at + head, at + len(chunk) - tail, shown + head, shown + len(masked) - tail))
        parts.append(masked)
        at += len(chunk)
        shown += len(masked)
    return Veiled("".join(parts), edits)


def _common(left: str, right: str) -> tuple[int, int]:
    """How many characters both begin with, and how many of the rest both end with."""
    room = min(len(left), len(right))
    head = next((index for index in range(room) if left[index] != right[index]), room)
    room -= head
    tail = next((index for index in range(room) if left[-1 - index] != right[-1 - index]), room)
    return head, tail


def veil_contact(contact: Contact) -> Contact:
    """Name and public handle stay; the ways to reach the person are masked."""
    return Contact(
        name=veil(contact.name),
        email=veil_word(contact.email),
        phone=veil_word(contact.phone),
        wechat=veil_word(contact.wechat),
        handle=veil(contact.handle),
    )


def veil_word(word: str) -> str:
    """A value known to be a contact: masked also where it does not look like one. A public hotline is nobody's."""
    masked = veil(word)
    if masked != word or not word or is_hotline(word):
        return masked
    kept = min(3, len(word) // 3)
    return f"{word[:kept]}****{word[len(word) - kept :] if kept else ''}"


def veil_tree(value: Any, words: Collection[str] = (), key: str = "") -> Any:
    """Plain JSON data with contacts, and the `words` known to be some, masked; ids stay as they are."""
    if isinstance(value, str):
        if key in _PLAIN_KEYS:
            return value
        return veil_word(value) if key in _ALIKE else veil_text(value, words).text
    if isinstance(value, list | tuple):
        return [veil_tree(item, words, key) for item in value]
    if isinstance(value, Mapping):
        # An author's id may be an address; every other id is one that joins things together.
        plain = "" if key == "author" else "id"
        return {name: veil_tree(item, words, plain if name == "id" else str(name)) for name, item in value.items()}
    return value
