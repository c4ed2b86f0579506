"""The hits of all rules in one reading, weighed: negated ones gone, those after a contrast heavier."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from allears_sdk.complaint import Evidence, Provenance
from normalizer.fields.reading import Reading
from normalizer.rules import Hit, Pack, Rule, Rules

_NEGATION_REACH = 28
_UNREAD = re.compile(r"https?://[^\s\u4e00-\u9fff]{1,500}|@[a-z0-9_]{1,40}")
_AFTER_CONTRAST = 1.5
_REPEATED = 0.2
_ANOTHER = 0.5
"""Further words of the same rule add less than words of another."""
_MAX_EVIDENCE = 5


class Sign(NamedTuple):
    """A hit that stands, with its weight in this text."""

    rule: Rule
    start: int
    end: int
    weight: float
    contrasted: bool


@dataclass(slots=True)
class Signals:
    """Signs by (field, value)."""

    reading: Reading
    signs: dict[tuple[str, str], list[Sign]] = field(default_factory=dict)
    contrast_at: int = -1
    """Where a contrast (但是, but) begins; -1: nowhere."""

    def score(self, kind: str, value: str) -> float:
        return sum(sign.weight for sign in self.signs.get((kind, value), ()))

    def of(self, kind: str) -> Iterator[tuple[str, list[Sign]]]:
        return ((value, signs) for (name, value), signs in self.signs.items() if name == kind)

    def provenance(self, signs: Iterable[Sign], score: float) -> Provenance:
        """Named after the heaviest rule; its words first."""
        ranked = sorted(signs, key=lambda sign: (-sign.weight, sign.start))
        evidence = tuple(self.evidence(ranked[:_MAX_EVIDENCE]))
        return Provenance(source=f"rule:{ranked[0].rule.id}", score=round(score, 2), evidence=evidence)

    def evidence(self, signs: Iterable[Sign]) -> Iterator[Evidence]:
        seen = set()
        for sign in signs:
            if (sign.start, sign.end) not in seen:
                seen.add((sign.start, sign.end))
                yield self.reading.evidence(sign.start, sign.end)


def weigh(reading: Reading, rules: Rules) -> Signals:
    signals = Signals(reading)
    folded = _UNREAD.sub(lambda match: " " * len(match[0]), reading.folded)
    for pack in _fitting(folded, rules):
        contrast = pack.contrast.search(folded)
        contrast_at = contrast.start() if contrast is not None else -1
        if signals.contrast_at < 0:
            signals.contrast_at = contrast_at
        _weigh(signals, pack, folded, contrast_at)
    return signals


def _fitting(folded: str, rules: Rules) -> Iterator[Pack]:
    """Packs whose script occurs: an English text costs no Chinese rules, a mixed one gets both."""
    for pack in rules.packs:
        if pack.language != "zh" or not folded.isascii():
            yield pack


def _weigh(signals: Signals, pack: Pack, folded: str, contrast_at: int) -> None:
    reading = signals.reading
    last: dict[str, int] = {}
    heard: dict[str, set[str]] = {}
    for hit in sorted(pack.find(folded), key=lambda hit: (hit.start, -hit.end)):
        rule = hit.rule
        if hit.start < last.get(rule.id, -1) or (rule.negatable and _is_negated(reading, pack, hit)):
            continue
        last[rule.id] = hit.end
        words, known = folded[hit.start : hit.end], heard.setdefault(rule.id, set())
        factor = _REPEATED if words in known else _ANOTHER if known else 1.0
        known.add(words)
        contrasted = 0 <= contrast_at <= hit.start
        weight = rule.weight * factor * (_AFTER_CONTRAST if contrasted else 1.0)
        sign = Sign(rule, hit.start, hit.end, weight, contrasted)
        signals.signs.setdefault((rule.field, rule.value), []).append(sign)


def _is_negated(reading: Reading, pack: Pack, hit: Hit) -> bool:
    before = reading.folded[max(0, hit.start - _NEGATION_REACH) : hit.start]
    if pack.negation.search(before) is None:
        return False
    begin = reading.clause_start(hit.start, _NEGATION_REACH)
    return pack.negation.search(reading.folded[begin : hit.start]) is not None
