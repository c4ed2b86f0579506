"""What was said against what a store holds, by content: everything once, nothing twice.

Each thing said carries a token; so does each new wording of it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SHOWN = 10
"""Of faults of one sort."""
_TOKEN = re.compile(r"tok\d{6}x")


def make_token(number: int) -> str:
    return f"tok{number:06d}x"


def tokens_in(text: str) -> set[str]:
    return set(_TOKEN.findall(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One thing told, where a store keeps it: of an event a message, a row, a message of a ticket."""

    place: str
    keys: tuple[str, ...]
    """Of the messages it tells of, as `Event.keys` has them."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """All that was said."""

    said: Mapping[str, str]
    """Token → where: the form, one of the mail channels, or a chat."""
    edits: Mapping[str, str] = field(default_factory=dict)
    """Token of a new wording → that of the message. No message has two."""

    def faults(self, tellings: Sequence[Telling]) -> list[str]:
        """What is lost, and what is doubled."""
        places, words = self._places(tellings), tokens_in(" ".join(one.text for one in tellings))
        lost = [f"{token} ({where}) is lost" for token, where in self.said.items() if token not in places]
        lost += [
            f"{new} is lost, the edit of {token}"
            for new, token in self.edits.items()
            if token in self.said and token in places and new not in words
        ]
        return lost[:SHOWN] + self._doubled(places)[:SHOWN] + _repeated(tellings)[:SHOWN]

    def _places(self, tellings: Sequence[Telling]) -> dict[str, list[str]]:
        """Message → where it is told, in any wording."""
        places: dict[str, list[str]] = defaultdict(list)
        for telling in tellings:
            for message in {self.edits.get(token, token) for token in tokens_in(telling.text)}:
                places[message].append(telling.place)
        return places

    def _doubled(self, places: Mapping[str, Sequence[str]]) -> list[str]:
        """An edit is one more telling."""
        edited = set(self.edits.values())
        return [
            f"{token} is in {', '.join(found)}" for token, found in places.items() if len(found) > 1 + (token in edited)
        ]


def _repeated(tellings: Sequence[Telling]) -> list[str]:
    places: dict[str, list[str]] = defaultdict(list)
    for telling in tellings:
        for key in telling.keys:
            places[key].append(telling.place)
    return [f"the message {key} is in {', '.join(found)}" for key, found in places.items() if len(found) > 1]
