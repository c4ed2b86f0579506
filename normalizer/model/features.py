"""What the model looks at in a text: which word sequences stand there, and what the rules found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import log2

from normalizer.fields.reading import blanked
from normalizer.fields.signals import Signals, total

_PICTURES = r"\u2600-\u27bf\U0001f300-\U0001faff"
_DROPPED = re.compile(rf"[^a-z0-9' \u4e00-\u9fff{_PICTURES}]")
_DIGIT = re.compile("[1-9]")
_RUNS = re.compile(rf"[\u4e00-\u9fff]+|[{_PICTURES}]|[a-z0-9'][a-z0-9' ]*")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_LONGEST = 3
_MOST_PER_VALUE = 6.0
_MOST_PER_RULE = 3.0
_TALLEST = 9
"""Texts from 2**9 signs on are equally long."""

Measures = dict[str, float]
"""Numbers the model weighs, by name: `rule:zh.broken`, `sum:category=logistics.delay`, `length:4`."""


def spaced(folded: str) -> str:
    """Folded text with links, handles and punctuation blanked, digits as 0 and one space more at either end: place
    `i` of it is place `i - 1` of the text."""
    return f" {_DIGIT.sub('0', _DROPPED.sub(' ', blanked(folded)))} "


def sequences(text: str) -> Iterator[str]:
    """All that may stand in the model's vocabulary, of a text as `spaced` makes it: one to three Han characters, one
    to three Latin words with a space at either end, pictures."""
    for run in _RUNS.finditer(text):
        yield from _characters(run[0]) if run[0][0] >= "\u2600" else _words(run[0])


def _characters(run: str) -> Iterator[str]:
    for length in range(1, _LONGEST + 1):
        for start in range(len(run) - length + 1):
            yield run[start : start + length]


def _words(run: str) -> Iterator[str]:
    for clause in run.split("  "):
        words = clause.split()
        for length in range(1, _LONGEST + 1):
            for start in range(len(words) - length + 1):
                yield f" {' '.join(words[start : start + length])} "


def measures(signals: Signals, verdicts: Mapping[str, str], *, public: bool) -> Measures:
    """What is known beside the words: rules that fired and what they would say, the kind of channel, the text's shape.

    `verdicts`: by field, what rules alone say of the text, taken for a complaint where they need one.
    """
    found: Measures = {f"{field}:{value}": 1.0 for field, value in verdicts.items()}
    found["public" if public else "private"] = 1.0
    by_rule: dict[str, float] = {}
    for (field, value), signs in signals.signs.items():
        found[f"sum:{field}={value}"] = min(_MOST_PER_VALUE, total(signs))
        for sign in signs:
            name = f"rule:{sign.rule.id}"
            by_rule[name] = min(_MOST_PER_RULE, by_rule.get(name, 0.0) + sign.weight)
    found |= by_rule
    if signals.contrast_at >= 0:
        found["contrast"] = 1.0
    if signals.to_firm:
        found["to firm"] = 1.0
    return found | _shape(signals.reading.folded)


def _shape(folded: str) -> Measures:
    is_han = not folded.isascii() and _HAN.search(folded) is not None
    height = log2(1 + (len(folded) if is_han else len(folded) / 3))
    shape = {"han" if is_han else "latin": 1.0, f"length:{min(_TALLEST, int(height))}": 1.0, "length": height / 4}
    asked = folded.count("?") + folded.count("？")
    if asked:
        shape["asks"] = min(3.0, float(asked))
        shape["ends asking"] = float(folded.rstrip().endswith(("?", "？")))
    marks = {"exclaims": "!" in folded or "！" in folded, "lines": "\n" in folded, "link": "://" in folded}
    marks["addressed"] = folded.startswith("@")
    return shape | {name: 1.0 for name, holds in marks.items() if holds}
