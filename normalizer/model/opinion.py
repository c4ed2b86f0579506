"""What the model makes of one text."""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping, Set
from functools import cached_property, lru_cache
from importlib import resources
from math import exp, log, sqrt
from operator import itemgetter

from ahocorasick_rs import AhoCorasick, Implementation

from normalizer.encoder import Encoder, Heard
from normalizer.fields.reading import Reading
from normalizer.model.features import Measures, spaced
from normalizer.model.table import Table, parse
from normalizer.rules.matcher import characters, is_character

FILE = "weights.bin"
_SIXTEENTHS = 16
_STRONG = 2.5
"""Sum of rule weights."""
_TRIES = 3
"""Sequences looked at for each place that is shown."""
_FEWEST_KNOWN = 0.5
"""Of a text's words; with fewer it is no language the model was trained on."""

_ROW = itemgetter(0)
_SAYS_NOTHING = re.compile(r"(?:\[[^\[\]\n]{1,12}\]|[\W_])*+\w{0,2}+[\W_]*+")
"""What a channel writes for a picture, and a syllable."""

Span = tuple[int, int]


class Model:
    """A table with what finds its sequences in a text: characters and words are looked up, since an automaton reports
    each of them again and again [140 ns a time, 400 of the 600 matches in a mail]; one is there for the rest."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.name = table.head.name
        self._characters: dict[str, int] = {}
        self._words: dict[str, int] = {}
        longer: dict[str, int] = {}
        for row, one in enumerate(table.head.sequences):
            if is_character(one):
                self._characters[one] = row
            elif one[0] == " " and one.count(" ") == 2:
                self._words[one[1:-1]] = row
            else:
                longer[one] = row
        self._longer = array("I", longer.values())
        self._finder = AhoCorasick(longer, implementation=Implementation.ContiguousNFA, store_patterns=False)

    def find(self, text: str, words: Set[str], occurring: Set[str]) -> list[int]:
        """Rows of the sequences in a text as `spaced` makes it, of these words and characters."""
        found = [self._words[word] for word in self._words.keys() & words]
        found += [self._characters[one] for one in self._characters.keys() & occurring]
        longer = set(map(_ROW, self._finder.find_matches_as_indexes(text, overlapping=True)))
        return found + [self._longer[number] for number in longer]


class Opinion:
    """Probabilities of every field's values for one text, and the words that weighed most; with an encoder, of both
    together."""

    def __init__(self, model: Model, reading: Reading, measured: Measures, encoder: Encoder | None = None) -> None:
        self.model, self._reading, self._encoder = model, reading, encoder
        self._text = spaced(reading.said)
        self._words = frozenset(self._text.split())
        self._found = model.find(self._text, self._words, characters(reading.said))
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
        return known >= _FEWEST_KNOWN * len(self._words)

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

    @property
    def name(self) -> str:
        """Of all that took part."""
        return self.model.name if self._encoder is None else f"{self.model.name}+{self._encoder.head.name}"

    @property
    def bars(self) -> Mapping[str, float]:
        """By expectation: the probability from which it is taken as said."""
        bars = self.model.table.head.bars
        return bars if self._encoder is None else bars | self._encoder.head.bars

    @cached_property
    def _heard(self) -> Heard:
        return {} if self._encoder is None else self._encoder.hear(self._reading.text)

    def sums(self, field: str) -> dict[str, float]:
        """Of one field's values, what speaks for each, as log odds."""
        own = {value: self._sums[lane] for value, lane in self.model.table.fields[field].items()}
        if self._encoder is None:
            return own
        share = self._encoder.head.share[field]
        own, heard = _normal(own), _normal(self._heard[field])
        return {value: (1 - share) * odds + share * heard[value] for value, odds in own.items()}

    def probabilities(self, field: str, by_rules: str = "") -> Mapping[str, float]:
        """Of one field's values, 1 together; `by_rules` is what rules alone would say."""
        sums = self.sums(field)
        if by_rules in sums:
            sums[by_rules] += self._trust(field, by_rules)
        highest, warmth = max(sums.values()), (self._encoder or self.model.table).head.warmth[field]
        raised = {value: exp((given - highest) / warmth) for value, given in sums.items()}
        whole = sum(raised.values())
        return {value: given / whole for value, given in raised.items()}

    def _trust(self, field: str, by_rules: str) -> float:
        """What the rules' answer has in advance; beside an encoder it stands against the linear model's part only."""
        trust = self.model.table.head.trust[field][self.ground(field, by_rules)]
        return trust if self._encoder is None else trust * (1 - self._encoder.head.share[field])

    def chances(self, field: str) -> dict[str, float]:
        """Of values that may stand beside others, each by itself."""
        warmth = self.model.table.head.warmth[field]
        lanes = self.model.table.fields[field]
        chances = {value: _chance(self._sums[lane] / warmth) for value, lane in lanes.items()}
        share = self._encoder.head.share[field] if self._encoder is not None else 0.0
        for value, odds in self._heard.get(field, {}).items():
            chances[value] = (1 - share) * chances[value] + share * _chance(odds)
        return chances

    def words(self, field: str, value: str, most: int) -> list[Span]:
        """Places in the reading of the sequences that spoke most for a value; of overlapping ones the stronger."""
        lane = self.model.table.fields[field].get(value)
        chosen: list[Span] = []
        for row in self.model.table.strongest(self._found, lane, _TRIES * most) if lane is not None else ():
            start, end = self._span(self.model.table.head.sequences[row])
            if not any(start < stop and begin < end for begin, stop in chosen):
                chosen.append((start, end))
        return [(start - 1, end - 1) for start, end in chosen[:most]]

    def _span(self, sequence: str) -> Span:
        """Where it stands last, without the spaces around it."""
        start = self._text.rfind(sequence)
        return start + (sequence[0] == " "), start + len(sequence) - (sequence[-1] == " ")


def _chance(odds: float) -> float:
    return 1 / (1 + exp(-odds))


def _normal(odds: Mapping[str, float]) -> dict[str, float]:
    """Of values that exclude each other, logarithms of their probabilities."""
    highest = max(odds.values())
    whole = highest + log(sum(exp(given - highest) for given in odds.values()))
    return {value: given - whole for value, given in odds.items()}


@lru_cache(maxsize=1)
def load() -> Model | None:
    """The packaged model, read once per process; None where none is shipped."""
    file = resources.files("normalizer.model").joinpath(FILE)
    return Model(parse(file.read_bytes())) if file.is_file() else None
