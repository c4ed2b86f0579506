"""What the model makes of one text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from importlib import resources
from math import exp, sqrt

from ahocorasick_rs import AhoCorasick, Implementation

from normalizer.fields.reading import Reading
from normalizer.model.features import Measures, spaced
from normalizer.model.table import Table, parse

FILE = "weights.bin"
_SIXTEENTHS = 16
_STRONG = 2.5
"""Sum of rule weights."""
_TRIES = 3
"""Sequences looked at for each place that is shown."""
_FEWEST_KNOWN = 0.5
"""Of a text's words; with fewer it is no language the model was trained on."""

_SAYS_NOTHING = re.compile(r"(?:\[[^\[\]\n]{1,12}\]|[\W_])*+\w{0,2}+[\W_]*+")
"""What a channel writes for a picture, and a syllable."""

Span = tuple[int, int]


class Model:
    """A table with the automaton that finds its sequences in a text."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.name = table.head.name
        self._finder = AhoCorasick(
            table.head.sequences, implementation=Implementation.ContiguousNFA, store_patterns=False
        )

    def find(self, text: str) -> dict[int, Span]:
        """Rows of the sequences in a text as `spaced` makes it, each with where it stands last."""
        try:
            found = self._finder.find_matches_as_indexes(text, overlapping=True)
        except UnicodeEncodeError:
            return {}
        return {row: (start, end) for row, start, end in found}


class Opinion:
    """Probabilities of every field's values for one text, and the words that weighed most."""

    def __init__(self, model: Model, reading: Reading, measured: Measures) -> None:
        self.model, self._reading = model, reading
        self._text = spaced(reading.folded)
        self._found = model.find(self._text)
        known = model.table.measures
        self._measured = {known[name]: value for name, value in measured.items() if name in known}
        self._given, self._place = measured, "public" if "public" in measured else "private"

    def ground(self, field: str, by_rules: str) -> str:
        """What the rules' answer stands on: where it was said, and whether in strong words."""
        strong = self._given.get(f"sum:{field}={by_rules}", 0.0) >= _STRONG
        return f"{self._place} strong" if strong else self._place

    @cached_property
    def is_founded(self) -> bool:
        """Whether enough is said, and enough of it known to the model."""
        if _SAYS_NOTHING.fullmatch(self._reading.folded):
            return False
        singles = self.model.table.head.singles
        known = sum([row < singles for row in self._found])
        return known >= _FEWEST_KNOWN * len(set(self._text.split()))

    @cached_property
    def _sums(self) -> list[float]:
        table, head = self.model.table, self.model.table.head
        rows = table.rows
        said = table.total(map(rows.__getitem__, self._found))
        noted = table.total(round(_SIXTEENTHS * value) * rows[row] for row, value in self._measured.items())
        length = 1 / sqrt(len(self._found) or 1)
        return [
            start + scale * (length * words + noted / _SIXTEENTHS)
            for start, scale, words, noted in zip(head.start, head.scales, said, noted, strict=True)
        ]

    def sums(self, field: str) -> dict[str, float]:
        """Of one field's values, what speaks for each, as log odds."""
        return {value: self._sums[lane] for value, lane in self.model.table.fields[field].items()}

    def probabilities(self, field: str, by_rules: str = "") -> Mapping[str, float]:
        """Of one field's values, 1 together; `by_rules` is what rules alone would say."""
        head = self.model.table.head
        sums = self.sums(field)
        if by_rules in sums:
            sums[by_rules] += head.trust[field][self.ground(field, by_rules)]
        highest, warmth = max(sums.values()), head.warmth[field]
        raised = {value: exp((given - highest) / warmth) for value, given in sums.items()}
        whole = sum(raised.values())
        return {value: given / whole for value, given in raised.items()}

    def chances(self, field: str) -> dict[str, float]:
        """Of values that may stand beside others, each by itself."""
        warmth = self.model.table.head.warmth[field]
        return {value: 1 / (1 + exp(-given / warmth)) for value, given in self.sums(field).items()}

    def words(self, field: str, value: str, most: int) -> list[Span]:
        """Places in the reading of the sequences that spoke most for a value; of overlapping ones the stronger."""
        lane = self.model.table.fields[field].get(value)
        chosen: list[Span] = []
        for row in self.model.table.strongest(self._found, lane, _TRIES * most) if lane is not None else ():
            start, end = _trimmed(self._text, *self._found[row])
            if not any(start < stop and begin < end for begin, stop in chosen):
                chosen.append((start, end))
        return [(start - 1, end - 1) for start, end in chosen[:most]]


def _trimmed(text: str, start: int, end: int) -> Span:
    return start + (text[start] == " "), end - (text[end - 1] == " ")


@lru_cache(maxsize=1)
def load() -> Model | None:
    """The packaged model, read once per process; None where none is shipped."""
    file = resources.files("normalizer.model").joinpath(FILE)
    return Model(parse(file.read_bytes())) if file.is_file() else None
