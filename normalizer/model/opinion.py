"""What the model makes of one text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from importlib import resources
from math import exp, sqrt
from operator import itemgetter

from ahocorasick_rs import AhoCorasick, Implementation

from normalizer.fields.reading import Reading
from normalizer.model.features import Measures, spaced
from normalizer.model.table import Table, parse

FILE = "weights.bin"
_SIXTEENTHS = 16
_MOST_WORDS = 5
_FEWEST_KNOWN = 0.5
"""Of a text's words; with fewer it is no language the model was trained on."""

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
        self._trust = "public" if "public" in measured else "private"

    @cached_property
    def is_founded(self) -> bool:
        """Whether enough of the text is known to the model."""
        singles = self.model.table.head.singles
        known = sum(row < singles for row in self._found)
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

    def probabilities(self, field: str, by_rules: str = "") -> Mapping[str, float]:
        """Of one field's values, 1 together; `by_rules` is what rules alone would say."""
        head, warmth = self.model.table.head, self.model.table.head.warmth[field]
        sums = {value: self._sums[lane] / warmth for value, lane in self.model.table.fields[field].items()}
        if by_rules in sums:
            sums[by_rules] += head.trust[field][self._trust]
        highest = max(sums.values())
        raised = {value: exp(given - highest) for value, given in sums.items()}
        whole = sum(raised.values())
        return {value: given / whole for value, given in raised.items()}

    def chance(self, field: str, value: str) -> float:
        """Of one value that may stand beside others."""
        table = self.model.table
        return 1 / (1 + exp(-self._sums[table.fields[field][value]] / table.head.warmth[field]))

    def words(self, field: str, value: str) -> list[Span]:
        """Places in the reading of the sequences that spoke most for a value, longest kept where several overlap."""
        table = self.model.table
        lane = table.fields[field][value]
        weighed = [(table.weight(row, lane), span) for row, span in self._found.items()]
        weighed.sort(key=itemgetter(0), reverse=True)
        chosen: list[Span] = []
        for weight, (start, end) in weighed[: 3 * _MOST_WORDS]:
            if weight > 0 and len(chosen) < _MOST_WORDS:
                span = _trimmed(self._text, start, end)
                if not any(start < stop and begin < end for begin, stop in chosen):
                    chosen.append(span)
        return [(start - 1, end - 1) for start, end in chosen]


def _trimmed(text: str, start: int, end: int) -> Span:
    return start + (text[start] == " "), end - (text[end - 1] == " ")


@lru_cache(maxsize=1)
def load() -> Model | None:
    """The packaged model, read once per process; None where none is shipped."""
    file = resources.files("normalizer.model").joinpath(FILE)
    return Model(parse(file.read_bytes())) if file.is_file() else None
