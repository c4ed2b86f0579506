"""The hits of all rules in one reading, weighed: negated ones gone, those after a contrast heavier."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter

import msgspec

from allears_sdk.complaint import Evidence, Provenance
from normalizer.fields.reading import Reading
from normalizer.rules import Found, Pack, Rule, Rules

_NEGATION_REACH = 28
_AFTER_CONTRAST = 1.5
_REPEATED = 0.2
_ANOTHER = 0.5
"""Further words of the same rule add less than words of another."""
_MAX_EVIDENCE = 5


class Sign(msgspec.Struct, frozen=True, gc=False):
    """A hit that stands, with its weight in this text."""

    rule: Rule
    start: int
    end: int
    weight: float


_WEIGHT, _START = attrgetter("weight"), attrgetter("start")


@dataclass(slots=True)
class Signals:
    """Signs by (field, value)."""

    reading: Reading
    signs: dict[tuple[str, str], list[Sign]] = field(default_factory=dict)
    contrast_at: int = -1
    """Where a contrast (但是, but) begins; -1: nowhere."""
    to_firm: bool = False
    """Whether an @handle that answers for a firm is spoken to."""
    grievances: list[Sign] = field(init=False)
    """Those that say by themselves that something is wrong."""
    grievance: float = field(init=False)
    """Their weight."""

    def __post_init__(self) -> None:
        signs = [sign for _, found in self.of("category") for sign in found if sign.rule.grievance]
        self.grievances = signs + self.signs.get(("nature", "complaint"), [])
        self.grievance = total(self.grievances)

    def score(self, kind: str, value: str) -> float:
        signs = self.signs.get((kind, value))
        return total(signs) if signs else 0.0

    def of(self, kind: str) -> list[tuple[str, list[Sign]]]:
        return [(value, signs) for (name, value), signs in self.signs.items() if name == kind]

    def provenance(self, signs: Iterable[Sign], score: float) -> Provenance:
        """Named after the heaviest rule; its words first."""
        ranked = sorted(signs, key=_START)
        ranked.sort(key=_WEIGHT, reverse=True)
        evidence = self.evidence(ranked[:_MAX_EVIDENCE])
        return Provenance(source=f"rule:{ranked[0].rule.id}", score=round(score, 2), evidence=evidence)

    def evidence(self, signs: Iterable[Sign]) -> tuple[Evidence, ...]:
        spans = dict.fromkeys([(sign.start, sign.end) for sign in signs])
        return tuple([self.reading.evidence(start, end) for start, end in spans])


def total(signs: Iterable[Sign]) -> float:
    return sum([sign.weight for sign in signs])


def weigh(reading: Reading, rules: Rules) -> Signals:
    signs: dict[tuple[str, str], list[Sign]] = {}
    folded, contrast_at = reading.said, -1
    for pack in _fitting(folded, rules):
        found = pack.find(folded)
        if contrast_at < 0:
            contrast_at = found.contrast_at
        _weigh(signs, pack, reading, found)
    to_firm = "@" in reading.folded and any(pack.firm.search(reading.folded) for pack in rules.packs)
    return Signals(reading, signs, contrast_at, to_firm)


def _fitting(folded: str, rules: Rules) -> Iterator[Pack]:
    """Packs whose script occurs: an English text costs no Chinese rules, a mixed one gets both."""
    for pack in rules.packs:
        if pack.language != "zh" or not folded.isascii():
            yield pack


def _weigh(signs: dict[tuple[str, str], list[Sign]], pack: Pack, reading: Reading, found: Found) -> None:
    folded = reading.said
    heard: dict[str, set[str]] = {}
    last: dict[str, int] = {}
    contrast_at = found.contrast_at if found.contrast_at >= 0 else len(folded)
    for hit in found.hits:
        rule, start, end = hit.rule, hit.start, hit.end
        if start < last.get(rule.id, 0):
            continue
        if found.may_negate and rule.negatable and _stands_behind(pack.negation, reading, start):
            continue
        if rule.field == "expectation" and _stands_behind(pack.reported, reading, start):
            continue
        last[rule.id] = end
        weight = rule.weight * _factor(heard.setdefault(rule.id, set()), folded[start:end])
        if start >= contrast_at:
            weight *= _AFTER_CONTRAST
        signs.setdefault((rule.field, rule.value), []).append(Sign(rule, start, end, weight))


def _factor(known: set[str], words: str) -> float:
    """What further words of one rule add."""
    factor = _REPEATED if words in known else _ANOTHER if known else 1.0
    known.add(words)
    return factor


def _stands_behind(words: re.Pattern[str], reading: Reading, start: int) -> bool:
    """Whether what is at `start` follows on `words` in its clause."""
    before = reading.folded[max(0, start - _NEGATION_REACH) : start]
    if words.search(before) is None:
        return False
    begin = reading.clause_start(start, _NEGATION_REACH)
    return words.search(reading.folded[begin:start]) is not None
