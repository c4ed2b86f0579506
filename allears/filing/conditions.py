"""What a route may ask of a complaint, and when one condition is part of another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from allears_sdk.complaint import Complaint
from normalizer.rules.fold import fold
from normalizer.rules.matcher import Words

KEYWORD = "keyword"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Holds when one of its words matches what the complaint says in this field."""

    field: str
    wanted: tuple[str, ...]
    folded: tuple[str, ...]

    def met(self, seen: Seen) -> tuple[str, ...]:
        """The words that match, as the route spells them."""
        found = seen.values(self.field)
        matches = _RULES[self.field]
        return tuple(
            word
            for word, folded in zip(self.wanted, self.folded, strict=True)
            if any(matches(folded, value) for value in found)
        )

    def holds(self, seen: Seen) -> bool:
        found = seen.values(self.field)
        matches = _RULES[self.field]
        return any(matches(word, value) for value in found for word in self.folded)

    def covers(self, other: Condition) -> bool:
        """Whether whatever meets `other` meets this one too."""
        covers = _covers_keyword if self.field == KEYWORD else _RULES[self.field]
        return all(any(covers(wide, narrow) for wide in self.folded) for narrow in other.folded)


class Seen:
    """What conditions look at in a complaint; the words of its text are looked for once, when first asked for."""

    __slots__ = ("_found", "_record", "_words")

    def __init__(self, record: Complaint, words: Words | None) -> None:
        self._record = record
        self._words = words
        self._found: dict[str, Sequence[str]] = {}

    def values(self, field: str) -> Sequence[str]:
        """Folded, as conditions compare them."""
        found = self._found.get(field)
        if found is None:
            found = self._keywords() if field == KEYWORD else [one.casefold() for one in self.said(field)]
            self._found[field] = found
        return found

    def said(self, field: str) -> Sequence[str]:
        """As the record says it; keywords stand in its text, not here."""
        return () if field == KEYWORD else _VALUES[field](self._record)

    def _keywords(self) -> Sequence[str]:
        if self._words is None:
            return ()
        text = fold(f"{self._record.title}\n{self._record.description}")
        return list(dict.fromkeys(word for word, _, _ in self._words.find(text)))


def condition(field: str, wanted: Sequence[str]) -> Condition:
    return Condition(field=field, wanted=tuple(wanted), folded=tuple(_folded(field, word) for word in wanted))


def words_of(conditions: Sequence[Condition]) -> Words | None:
    """All keywords in one automaton; None where nobody asks for any."""
    words = [word for one in conditions if one.field == KEYWORD for word in one.folded]
    return Words(words) if words else None


def _folded(field: str, word: str) -> str:
    word = fold(word.strip()) if field == KEYWORD else word.strip().casefold()
    return word.lstrip("@.") if field == "sender_domain" else word


def _is(wanted: str, value: str) -> bool:
    return wanted == value


def _is_below(separator: str, *, at_end: bool = False) -> Callable[[str, str], bool]:
    def matches(wanted: str, value: str) -> bool:
        if wanted == value:
            return True
        return value.endswith(separator + wanted) if at_end else value.startswith(wanted + separator)

    return matches


def _covers_keyword(wide: str, narrow: str) -> bool:
    """`refund*` covers refunds; words that are not Latin are found inside others."""
    if wide == narrow:
        return True
    if wide.endswith("*"):
        return narrow.startswith(wide[:-1])
    return not wide[0].isascii() and wide in narrow


def _domains(record: Complaint) -> Sequence[str]:
    addresses = (record.contact.email, record.customer_id)
    return list(dict.fromkeys(address.rpartition("@")[2] for address in addresses if "@" in address))


_RULES: Mapping[str, Callable[[str, str], bool]] = {
    "category": _is_below("."),
    "nature": _is,
    "priority": _is,
    "customer_level": _is,
    "product_line": _is,
    "region": _is,
    "channel": _is,
    KEYWORD: _is,
    "language": _is_below("-"),
    "sender_domain": _is_below(".", at_end=True),
}
"""When a wanted word matches a value, both folded."""

_VALUES: Mapping[str, Callable[[Complaint], Sequence[str]]] = {
    "category": lambda record: (record.category,),
    "nature": lambda record: (record.nature,),
    "priority": lambda record: (record.priority,),
    "customer_level": lambda record: (record.customer.level,),
    "product_line": lambda record: (record.product_line,),
    "region": lambda record: (record.customer.region,),
    "channel": lambda record: (record.channel,),
    "language": lambda record: (record.language,),
    "sender_domain": _domains,
}
