"""Shapes of entities, read from `shapes.toml` and compiled once per process."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from normalizer.rules.fold import fold
from normalizer.rules.literals import Guarded, first_matches, may_match, needed
from normalizer.rules.matcher import Words


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

    def find(self, text: str, seen: Set[str], begin: int, end: int) -> Iterator[re.Match[str]]:
        """Matches from left to right in `text[begin:end]`, where of all literals those `seen` occur."""
        patterns = [way.pattern for way in self.ways if may_match(way.needs, seen)]
        if not patterns or (self.sight is not None and self.sight.search(text, begin, end) is None):
            return iter(())
        if self.starts is not None:
            return _from_starts(self.starts, patterns[0], text, begin, end)
        return first_matches(patterns, text, begin, end)


def _from_starts(
    starts: re.Pattern[str], pattern: re.Pattern[str], text: str, begin: int, end: int
) -> Iterator[re.Match[str]]:
    for start in starts.finditer(text, begin, end):
        if start.start() >= begin and (match := pattern.match(text, start.start(), end)) is not None:
            begin = match.end()
            yield match


@dataclass(frozen=True, slots=True)
class Shapes:
    everywhere: tuple[Shape, ...]
    signature: tuple[Shape, ...]
    not_names: frozenset[str]
    """Words that no person's name contains (Ltd, Manager, Regards), case-folded."""
    literals: Words


@lru_cache(maxsize=1)
def load_shapes() -> Shapes:
    text = resources.files("normalizer.rules").joinpath("shapes.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    shapes = [_shape(row, data["surnames"]) for row in data["shape"]]
    everywhere = tuple(shape for shape in shapes if shape.where == "text")
    return Shapes(
        everywhere,
        tuple(shape for shape in shapes if shape.where == "signature"),
        frozenset(data["not_names"].split()),
        Words((), {one for shape in shapes for way in shape.ways for some in way.needs for one in some}),
    )


def _shape(row: Mapping[str, Any], surnames: str) -> Shape:
    patterns = row.get("patterns") or [row["pattern"]]
    compiled = [re.compile(pattern.replace("{SURNAME}", surnames), re.MULTILINE) for pattern in patterns]
    return Shape(
        kind=row["kind"],
        name=row["name"],
        needs=row["needs"],
        cased=row.get("cased", False),
        where=row.get("where", "text"),
        sight=re.compile(row["sight"]) if "sight" in row else None,
        starts=re.compile(row["starts"]) if "starts" in row else None,
        ways=tuple(Guarded(one, tuple(frozenset(map(fold, some)) for some in needed(one))) for one in compiled),
    )
