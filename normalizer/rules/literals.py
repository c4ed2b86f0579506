"""Literals that whatever a regular expression matches must contain: where none stands, the expression is not run."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import product
from re import _parser  # type: ignore[attr-defined]  # the one parser that reads exactly what `re` does; there since 3.11
from typing import Any

Needs = tuple[frozenset[str], ...]
"""Of each set at least one literal stands in every match."""

Span = tuple[int, int]

_WIDE = 500
_MAX_SET = 128
_MAX_CLASS = 40
_NOTHING = frozenset({""})
_ZERO_WIDTH = frozenset({"AT", "ASSERT", "ASSERT_NOT"})
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})


@dataclass(frozen=True, slots=True)
class Guarded:
    """A regular expression with what a text must hold for it to be worth running."""

    pattern: re.Pattern[str]
    needs: Needs
    width: int
    """Characters of its longest match."""
    ahead: int
    """Characters behind a match that it may look at."""

    @property
    def reach(self) -> int:
        """Of any character of a match, its end and all that it looked at stand this near."""
        return self.width + self.ahead


class Guards:
    """Of many owners, each with a few guarded expressions: whose are worth running on a text."""

    def __init__(self, owned: Sequence[Sequence[Guarded]]) -> None:
        self.literals = {literal for ways in owned for way in ways for some in way.needs for literal in some}
        self._ways = [(owner, way, way.needs[1:]) for owner, ways in enumerate(owned) for way in ways]
        self._always = [number for number, (_, way, _) in enumerate(self._ways) if not way.needs]
        self._by_literal: dict[str, list[int]] = {}
        for number, (_, way, _) in enumerate(self._ways):
            for literal in way.needs[0] if way.needs else ():
                self._by_literal.setdefault(literal, []).append(number)

    def worthwhile(self, seen: Set[str]) -> dict[int, list[Guarded]]:
        """By owner, in order, for a text in which these literals were seen."""
        known = self._by_literal
        hinted = set(self._always)
        for literal in known.keys() & seen:
            hinted.update(known[literal])
        ways = self._ways
        found: dict[int, list[Guarded]] = {}
        for number in sorted(hinted):
            owner, way, others = ways[number]
            if not others or may_match(others, seen):
                found.setdefault(owner, []).append(way)
        return found


def may_match(needs: Needs, seen: Set[str]) -> bool:
    """Whether a text in which these literals were seen has all that is needed."""
    for some in needs:  # noqa: SIM110 asked a hundred times of a text, and half as dear as `any`
        if seen.isdisjoint(some):
            return False
    return True


def guard(pattern: re.Pattern[str]) -> Guarded:
    parsed = _parser.parse(pattern.pattern, pattern.flags)
    return Guarded(pattern, needed(pattern), parsed.getwidth()[1], _looked_ahead(parsed) + 1)


def _reach(way: Guarded, seen: Set[str], text: str) -> Span:
    """The part of a text in which these literals were seen that holds all matches, and what stands around them."""
    if not way.needs or way.reach > _WIDE:
        return 0, len(text)
    literals = way.needs[0] & seen
    begin = min([text.find(literal) + len(literal) for literal in literals], default=len(text)) - way.width
    end = max(map(text.rfind, literals), default=0) + way.reach
    return max(0, begin), min(len(text), end)


def matches_of(ways: Sequence[Guarded], text: str, seen: Set[str]) -> Iterator[re.Match[str]]:
    """`first_matches` of them all, each looked for near these literals, which are those that the text has."""
    if len(ways) == 1:
        return ways[0].pattern.finditer(text, *_reach(ways[0], seen, text))
    return _first_of_several([(way.pattern, *_reach(way, seen, text)) for way in ways], text)


def first_matches(
    patterns: Sequence[re.Pattern[str]], text: str, begin: int = 0, end: int = sys.maxsize
) -> Iterator[re.Match[str]]:
    """The first match of any of `patterns`, then the first after it, as one expression of them all would find
    them, only that each skips what it cannot begin with. None of them may match nothing."""
    if len(patterns) == 1:
        return patterns[0].finditer(text, begin, end)
    return _first_of_several([(pattern, begin, end) for pattern in patterns], text)


def _first_of_several(searched: Sequence[tuple[re.Pattern[str], int, int]], text: str) -> Iterator[re.Match[str]]:
    found = [(pattern, end, pattern.search(text, begin, end)) for pattern, begin, end in searched]
    ahead = [(pattern, end, match) for pattern, end, match in found if match is not None]
    while ahead:
        first = min([match for _, _, match in ahead], key=re.Match.start)
        yield first
        begin = max(first.end(), first.start() + 1)
        found = [
            (pattern, end, match if match.start() >= begin else pattern.search(text, begin, end))
            for pattern, end, match in ahead
        ]
        ahead = [(pattern, end, match) for pattern, end, match in found if match is not None]


def _looked_ahead(items: Iterable[tuple[Any, Any]]) -> int:
    widths = [0]
    for operation, value in items:
        if str(operation) in ("ASSERT", "ASSERT_NOT") and value[0] > 0:
            widths.append(value[1].getwidth()[1] + _looked_ahead(value[1]))
        widths += map(_looked_ahead, _parts_of(value))
    return max(widths)


def _parts_of(value: Any) -> Iterator[_parser.SubPattern]:
    if isinstance(value, _parser.SubPattern):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _parts_of(part)


def needed(pattern: re.Pattern[str]) -> Needs:
    """The most telling set first; empty when nothing can be said (as for patterns that ignore case)."""
    parsed = _parser.parse(pattern.pattern, pattern.flags)
    if parsed.state.flags & re.IGNORECASE:
        return ()
    telling = {some for some in _sequence(parsed).all_needs() if not any(map(_occurs_anywhere, some))}
    return tuple(sorted(telling, key=_vagueness))


def _occurs_anywhere(literal: str) -> bool:
    return len(literal.strip()) <= 1 and literal.isascii() and (literal.strip().isalnum() or literal.isspace())


@dataclass(slots=True)
class _Walked:
    """What a part of an expression matches: exactly one of `exact`, or something that contains `needs`."""

    exact: frozenset[str] | None = None
    needs: list[frozenset[str]] = field(default_factory=list)

    def all_needs(self) -> list[frozenset[str]]:
        if self.exact is None:
            return self.needs
        return [] if "" in self.exact else [self.exact]


def _vagueness(some: frozenset[str]) -> tuple[int, int, list[str]]:
    return -min(map(len, some)), len(some), sorted(some)


def _sequence(items: Iterable[tuple[Any, Any]]) -> _Walked:
    run, needs, is_exact = _NOTHING, list[frozenset[str]](), True
    for operation, value in items:
        if str(operation) in _ZERO_WIDTH:
            continue
        part = _item(str(operation), value)
        if part.exact is not None and len(run) * len(part.exact) <= _MAX_SET:
            run = frozenset(map("".join, product(run, part.exact)))
            continue
        is_exact = False
        needs += [*_Walked(run).all_needs(), *part.needs]
        run = part.exact or _NOTHING
    return _Walked(run) if is_exact else _Walked(None, [*needs, *_Walked(run).all_needs()])


def _item(operation: str, value: Any) -> _Walked:
    if operation == "LITERAL":
        return _Walked(frozenset({chr(value)}))
    if operation == "IN":
        return _Walked(_class(value))
    if operation == "BRANCH":
        return _branch([_sequence(items) for items in value[1]])
    if operation == "SUBPATTERN":
        return _Walked() if value[1] & re.IGNORECASE else _sequence(value[3])
    if operation == "ATOMIC_GROUP":
        return _sequence(value)
    return _repeat(*value) if operation in _REPEATS else _Walked()


def _class(members: list[tuple[Any, Any]]) -> frozenset[str] | None:
    codes: set[int] = set()
    for operation, value in members:
        if str(operation) == "LITERAL":
            codes.add(value)
        elif str(operation) == "RANGE" and value[1] - value[0] < _MAX_CLASS:
            codes.update(range(value[0], value[1] + 1))
        else:
            return None
    return frozenset(map(chr, codes)) if len(codes) <= _MAX_CLASS else None


def _branch(ways: list[_Walked]) -> _Walked:
    exact = [way.exact for way in ways if way.exact is not None]
    if len(exact) == len(ways) and sum(map(len, exact)) <= _MAX_SET:
        return _Walked(frozenset().union(*exact))
    each = [min(way.all_needs(), key=_vagueness, default=None) for way in ways]
    told = [some for some in each if some is not None]
    return _Walked(None, [frozenset().union(*told)]) if len(told) == len(ways) else _Walked()


def _repeat(least: int, most: int, items: Iterable[tuple[Any, Any]]) -> _Walked:
    body = _sequence(items)
    if most == 1 and body.exact is not None:
        return body if least else _Walked(body.exact | _NOTHING)
    return _Walked(None, body.all_needs()) if least else _Walked()
