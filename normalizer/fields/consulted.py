"""Rules and model together: what is certain stays with the rules, what they only guess the model weighs.

The rules' own answer goes into the model twice: among its measures, and with the trust that answer has in advance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from allears_sdk.complaint import Evidence, Provenance
from allears_sdk.message import Message, Visibility
from normalizer.conversation import Facts
from normalizer.encoder import Encoder
from normalizer.encoder import load as load_encoder
from normalizer.fields.category import OF_SUGGESTIONS, category_of
from normalizer.fields.expectation import expectation_of
from normalizer.fields.nature import is_plainly_asked, settled_nature, weighed_nature
from normalizer.fields.priority import is_certain, priority_of
from normalizer.fields.signals import Signals
from normalizer.model import Measures, Model, Opinion, measures

_MAX_EVIDENCE = 5
_MAX_SIGNS = 3
_LANGUAGES = ("", "zh", "en")
_WANTING = frozenset({"complaint", "request"})

Named = tuple[str, Provenance]
Load = Callable[[], Model | None]
LoadEncoder = Callable[[], Encoder | None]


def nobody() -> None:
    """In an encoder's place."""


def encoder_for(*, thoroughly: bool) -> LoadEncoder:
    return load_encoder if thoroughly else nobody


class Voices(NamedTuple):
    """Who is asked beside the rules."""

    model: Load
    encoder: LoadEncoder


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What rules alone say of the words, taken for a complaint where they need one."""

    nature: Named
    category: tuple[str, Provenance | None]
    priority: tuple[str, Provenance | None]
    expectation: tuple[tuple[str, ...], Provenance]

    def told(self) -> dict[str, str]:
        """As the model is told of them."""
        category = self.category[0]
        told = {"nature": self.nature[0], "category": category, "family": category.partition(".")[0]}
        return told | {"priority": self.priority[0]} | {f"wants {value}": "yes" for value in self.expectation[0]}


def verdicts_of(signals: Signals, messages: list[Message], facts: Facts) -> Verdicts:
    category = category_of(signals, "complaint")
    return Verdicts(
        nature=weighed_nature(signals, messages),
        category=category,
        priority=priority_of(signals, "complaint", category[0], facts),
        expectation=expectation_of(signals, "complaint"),
    )


@dataclass(frozen=True, slots=True)
class Consultation:
    """One text before rules and model."""

    signals: Signals
    messages: list[Message]
    facts: Facts
    verdicts: Verdicts
    opinion: Opinion | None
    """None where no model is shipped, the language is none of its own, or too little is said."""

    def nature(self) -> Named:
        settled = settled_nature(self.signals, self.messages, self.facts)
        by_rules = settled or self.verdicts.nature
        if settled or self.opinion is None or self._is_plainly_asked(by_rules[0]):
            return by_rules
        return self._likeliest("nature", by_rules, self.opinion.probabilities("nature", by_rules[0]))

    def _is_plainly_asked(self, by_rules: str) -> bool:
        """Of questions before a purchase the model met hardly any in Chinese."""
        return not self.signals.reading.folded.isascii() and is_plainly_asked(self.signals, by_rules)

    def category(self, nature: str) -> tuple[str, Provenance | None]:
        value, why = self.verdicts.category if nature == "complaint" else category_of(self.signals, nature)
        if self.opinion is None or why is None or value in self.opinion.model.table.head.rare:
            return value, why
        likely = self.opinion.probabilities("category", value)
        if nature == "suggestion":
            likely = {name: chance for name, chance in likely.items() if name.startswith(OF_SUGGESTIONS)}
        return self._likeliest("category", (value, why), likely)

    def priority(self, nature: str, category: str) -> tuple[str, Provenance | None]:
        known = nature == "complaint" and category == self.verdicts.category[0]
        value, why = self.verdicts.priority if known else priority_of(self.signals, nature, category, self.facts)
        if self.opinion is None or why is None or nature != "complaint" or is_certain(value, why):
            return value, why
        return self._likeliest("priority", (value, why), self.opinion.probabilities("priority", value))

    def expectation(self, nature: str) -> tuple[tuple[str, ...], Provenance]:
        """What rules hear stands unless the model is all but sure of the contrary; what it is sure of comes beside."""
        values, why = self.verdicts.expectation if nature == "complaint" else expectation_of(self.signals, nature)
        if self.opinion is None or nature not in _WANTING:
            return values, why
        chances = self.opinion.chances("expectation")
        bars = self.opinion.bars
        wanted = {value for value in values if value != "none" and chances.get(value, 1.0) >= bars["heard"]}
        wanted |= {value for value, chance in chances.items() if chance >= bars.get(value, 1.0)}
        found = tuple(sorted(wanted)) or ("none",)
        if found == values or (nature == "request" and not wanted):
            return values, why
        score = min((chances[value] for value in found if value in chances), default=1 - chances["none"])
        return found, self._by_model(score, "expectation", sorted(wanted))

    def _likeliest(self, field: str, by_rules: Named, likely: Mapping[str, float]) -> Named:
        """Where rules say the same in so many words, they are the reason; the score is the model's in any case."""
        value = max(likely, key=likely.__getitem__)
        said, why = by_rules
        if value == said and why.source.startswith("rule:"):
            return value, Provenance(source=why.source, score=round(likely[value], 2), evidence=why.evidence)
        return value, self._by_model(likely[value], field, [value])

    def _by_model(self, score: float, field: str, values: list[str]) -> Provenance:
        assert self.opinion is not None
        words = dict.fromkeys([words for value in values for words in self._words(self.opinion, field, value)])
        source = f"model:{self.opinion.name}"
        return Provenance(source=source, score=round(score, 2), evidence=tuple(words)[:_MAX_EVIDENCE])

    def _words(self, opinion: Opinion, field: str, value: str) -> list[Evidence]:
        """Of rules for that value the first, then the model's own."""
        signs = self.signals.signs.get((field, value), [])[:_MAX_SIGNS]
        spans = [(sign.start, sign.end) for sign in signs]
        spans += opinion.words(field, value, _MAX_EVIDENCE - len(spans))
        return [self.signals.reading.evidence(*span) for span in spans]


def consult(signals: Signals, messages: list[Message], facts: Facts, voices: Voices) -> Consultation:
    verdicts = verdicts_of(signals, messages, facts)
    hint = next((message.language for message in messages if message.language), "")
    model = voices.model() if hint[:2].lower() in _LANGUAGES else None
    given = (signals.reading, measured(signals, messages, verdicts))
    opinion = Opinion(model, *given, voices.encoder()) if model else None
    founded = opinion if opinion is not None and opinion.is_founded else None
    return Consultation(signals, messages, facts, verdicts, founded)


def measured(signals: Signals, messages: list[Message], verdicts: Verdicts) -> Measures:
    """What the model is given beside the text itself."""
    return measures(signals, verdicts.told(), public=_is_public(messages))


def _is_public(messages: list[Message]) -> bool:
    return any(message.visibility is Visibility.PUBLIC for message in messages)
