"""Shapes of entities, read from `shapes.toml` and compiled once per process."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from typing import Any

from normalizer.rules.fold import fold
from normalizer.rules.literals import Guarded, Guards, Span, first_matches, guard
from normalizer.rules.matcher import Words

Patterns = Sequence[re.Pattern[str]]

_REACH = 128
_DIGIT = r"0-9\u0660-\u1cff\ua620-\uabff\uff10-\uff19\U000104a0-\U0001fbff"
"""All digits of all scripts, and a few characters more: a set of ranges is found five times as fast as `\\d`."""
_DIGITS = re.compile(f"[{_DIGIT}](?:[^{_DIGIT}]{{0,{2 * _REACH}}}+[{_DIGIT}])*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    kind: str
    """An entity kind, or "" for a decoy."""
    name: str
    needs: str
    cased: bool
    where: str
    sight: re.Pattern[str] | None
    """Found in every match, and faster to find."""
    starts: re.Pattern[str] | None
    """Found wherever a match may begin."""
    ways: tuple[Guarded, ...]
    """Alternatives; what they need is folded. The last matched group is the entity; without groups (or when
    `model` matched) the whole match."""
    beside: frozenset[str]
    """Of these words at least one stands somewhere in the text, folded; empty: whatever it says."""
    is_near_digit: bool
    """No match is so long that it could begin or end out of the reach of a digit in it."""

    def find(self, patterns: Patterns, text: str, spans: Iterable[Span]) -> Iterator[re.Match[str]]:
        """Matches of those of its patterns that are worth trying, from left to right within each span. A signature
        begins its span, which is a line."""
        for begin, end in spans:
            if self.where == "signature":
                yield from filter(None, [pattern.match(text, begin, end) for pattern in patterns])
            elif self.sight is not None and self.sight.search(text, begin, end) is None:
                continue
            elif self.starts is not None:
                yield from _from_starts(self.starts, patterns[0], text, begin, end)
            else:
                yield from first_matches(patterns, text, begin, end)


def _from_starts(
    starts: re.Pattern[str], pattern: re.Pattern[str], text: str, begin: int, end: int
) -> Iterator[re.Match[str]]:
    for start in starts.finditer(text, begin, end):
        if start.start() >= begin and (match := pattern.match(text, start.start(), end)) is not None:
            begin = match.end()
            yield match


def near_digits(text: str) -> list[Span]:
    """Where shapes `is_near_digit` may stand: spans that do not overlap, from left to right."""
    return [(max(0, run.start() - _REACH), min(len(text), run.end() + _REACH)) for run in _DIGITS.finditer(text)]


@dataclass(frozen=True, slots=True)
class Shapes:
    everywhere: tuple[Shape, ...]
    signature: tuple[Shape, ...]
    not_names: frozenset[str]
    """Words that no person's name contains (Ltd, Manager, Regards), case-folded."""
    given_names: frozenset[str]
    """What people are called and hardly anything else is (Oliver, not Will or Paris), case-folded."""
    _all: tuple[Shape, ...] = field(init=False, repr=False)
    _guards: Guards = field(init=False, repr=False)
    _literals: Words = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shapes = (*self.everywhere, *self.signature)
        guards = Guards([shape.ways for shape in shapes])
        object.__setattr__(self, "_all", shapes)
        object.__setattr__(self, "_guards", guards)
        object.__setattr__(self, "_literals", Words((), guards.literals))

    def worthwhile(self, folded: str) -> list[tuple[Shape, Patterns]]:
        """What may stand in a text whose folded form is `folded`, with the patterns to try."""
        seen: Set[str] = self._literals.scan(folded).seen
        found = self._guards.worthwhile(seen).items()
        return [(self._all[number], [way.pattern for way in ways]) for number, ways in found]


@lru_cache(maxsize=1)
def load_shapes() -> Shapes:
    return shapes_of([read_shape(row) for row in packaged_shapes()])


def shapes_of(shapes: Sequence[Shape]) -> Shapes:
    """What is claimed by one is not read again by those after it."""
    return Shapes(
        tuple(shape for shape in shapes if shape.where == "text"),
        tuple(shape for shape in shapes if shape.where == "signature"),
        frozenset(_packaged()["not_names"].split()),
        frozenset(_packaged()["given_names"].split()),
    )


def packaged_shapes() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = _packaged()["shape"]
    return rows


@lru_cache(maxsize=1)
def _packaged() -> dict[str, Any]:
    return tomllib.loads(resources.files("normalizer.rules").joinpath("shapes.toml").read_text(encoding="utf-8"))


def read_shape(row: Mapping[str, Any]) -> Shape:
    """Without `needs` only its patterns say whether it is worth trying."""
    patterns = row.get("patterns") or [row["pattern"]]
    compiled = [re.compile(_spelt_out(pattern), re.MULTILINE) for pattern in patterns]
    ways = tuple(_folded(guard(one)) for one in compiled)
    beside = frozenset(row.get("beside", ()))
    if beside:
        ways = tuple(replace(way, needs=(beside,)) for way in ways)
    needs = row.get("needs", "")
    return Shape(
        kind=row["kind"],
        name=row["name"],
        needs=needs,
        cased=row.get("cased", False),
        where=row.get("where", "text"),
        sight=re.compile(row["sight"]) if "sight" in row else None,
        starts=re.compile(_spelt_out(row["starts"])) if "starts" in row else None,
        ways=ways,
        beside=beside,
        is_near_digit=needs == "digit" and max(way.reach for way in ways) <= _REACH,
    )


def _spelt_out(pattern: str) -> str:
    """With the characters and words that names in braces stand for."""
    for name, characters in _packaged()["names"].items():
        pattern = pattern.replace(f"{{{name}}}", characters)
    return pattern


def _folded(way: Guarded) -> Guarded:
    return replace(way, needs=tuple(frozenset(map(fold, some)) for some in way.needs))
