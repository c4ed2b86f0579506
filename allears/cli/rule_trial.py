"""Rules tried on examples: what fails, which rules fire, and which never have a say."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from allears.cli.rule_examples import KINDS, Example
from allears_sdk.complaint import Complaint
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive
from normalizer.fields.consulted import LoadEncoder, nobody
from normalizer.fields.reading import Readings, read
from normalizer.fields.signals import weigh
from normalizer.rules import Rule, Rules
from normalizer.rules.layers import Entry
from normalizer.rules.shapes import Shape

_AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    field: str
    expected: Any
    found: Any
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of one example."""

    name: str
    misses: Sequence[Miss]
    fired: Sequence[str]


@dataclass(slots=True)
class Tally:
    """Of one rule."""

    fired: int = 0
    """Examples in which it fired."""
    counted: int = 0
    """Those in which its field says what it says."""
    before: Counter[str] = field(default_factory=Counter)
    """What its field goes by in the others."""

    def note(self, says_so: bool, source: str) -> None:
        self.fired += 1
        self.counted += says_so
        if not says_so:
            self.before[source] += 1


def try_rules(
    examples: Sequence[Example], rules: Rules, entries: Iterable[Entry], encoder: LoadEncoder = nobody
) -> tuple[list[Outcome], dict[str, Tally]]:
    """Each example's outcome, and each rule's tally by name."""
    shapes = [entry.rule for entry in entries if isinstance(entry.rule, Shape) and entry.is_own]
    tallies: dict[str, Tally] = {}
    outcomes = []
    for example in examples:
        record = _record(example, rules, encoder)
        readings = read(example.messages)
        fired: set[str] = set()
        for rule in _fired(readings, rules):
            fired.add(rule.id)
            says_so, source = _says(record, rule.field, rule.value)
            tallies.setdefault(rule.id, Tally()).note(says_so, source)
        for shape in shapes:
            name = f"shape:{shape.kind}.{shape.name}"
            if words := _matched(readings, shape):
                fired.add(name)
                tallies.setdefault(name, Tally()).note(*_holds(record, shape, words))
        outcomes.append(Outcome(name=example.name, misses=tuple(_misses(example, record)), fired=sorted(fired)))
    return outcomes, tallies


def _record(example: Example, rules: Rules, encoder: LoadEncoder) -> Complaint:
    heard = tuple(Heard(message=message, received_at=_AT) for message in example.messages)
    facts = Facts(channel=example.connector, connector=example.connector, customer_level=example.level)
    return derive(Conversation(reference="ALE", opened_at=_AT, messages=heard), facts, rules, encoder=encoder)


def _fired(readings: Readings, rules: Rules) -> list[Rule]:
    signs = weigh(readings.words, rules).signs.values()
    return list({sign.rule.id: sign.rule for found in signs for sign in found}.values())


def _says(record: Complaint, field: str, value: str) -> tuple[bool, str]:
    """Whether the record's field says this, and what it goes by."""
    found = getattr(record, field)
    source = record.provenance.get(field)
    says_so = value in found if field == "expectation" else value == found
    return says_so, source.source if source else f"nature {record.nature}"


def _matched(readings: Readings, shape: Shape) -> list[str]:
    reading = readings.mentions
    text = reading.text if shape.cased else reading.folded
    patterns = [way.pattern for way in shape.ways]
    found = shape.find(patterns, text, [(0, len(text))])
    return [reading.text[slice(*match.span(match.lastindex or 0))] for match in found]


def _holds(record: Complaint, shape: Shape, words: Sequence[str]) -> tuple[bool, str]:
    taken = {one for kind in KINDS for one in getattr(record.entities, kind) if kind != shape.kind}
    if not shape.kind:  # a decoy has its say where nothing else takes the words
        return taken.isdisjoint(words), "shapes before it"
    own = getattr(record.entities, shape.kind)
    source = record.provenance.get(f"entities.{shape.kind}")
    return any(one in own for one in words), source.source if source else "shapes before it"


def _misses(example: Example, record: Complaint) -> Iterable[Miss]:
    for name, expected in example.expected.items():
        if name == "entities":
            yield from _entity_misses(expected, record)
            continue
        found = getattr(record, name)
        if not _agrees(name, expected, found):
            source = record.provenance.get(name)
            shown = list(found) if name == "expectation" else found
            yield Miss(field=name, expected=expected, found=shown, source=source.source if source else "-")


def _agrees(name: str, expected: Any, found: Any) -> bool:
    if name == "expectation":
        return set(expected) - {"none"} == set(found) - {"none"}
    if name == "category" and "." not in expected:
        return bool(expected == found.partition(".")[0])
    return bool(expected == found)


def _entity_misses(expected: Mapping[str, Sequence[str]], record: Complaint) -> Iterable[Miss]:
    for kind, words in expected.items():
        found = getattr(record.entities, kind)
        if set(map(_plain, words)) != set(map(_plain, found)):
            source = record.provenance.get(f"entities.{kind}")
            yield Miss(
                field=f"entities.{kind}",
                expected=list(words),
                found=list(found),
                source=source.source if source else "-",
            )


def _plain(words: str) -> str:
    return "".join(unicodedata.normalize("NFKC", words).lower().split())
