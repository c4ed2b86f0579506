"""Rules and model together: what is certain stays with the rules, what they only guess the model weighs.

The rules' own answer goes into the model twice: among its measures, and with the trust that answer has in advance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from allears_sdk.complaint import Evidence, Provenance
from allears_sdk.message import Message, Visibility
from normalizer.conversation import Facts
from normalizer.fields.category import OF_SUGGESTIONS, category_of
from normalizer.fields.expectation import expectation_of
from normalizer.fields.nature import settled_nature, weighed_nature
from normalizer.fields.priority import is_certain, priority_of
from normalizer.fields.signals import Sign, Signals
from normalizer.model import Measures, Model, Opinion, measures

_MAX_EVIDENCE = 5
_MAX_SIGNS = 3
_LANGUAGES = ("", "zh", "en")
_NO_FACTS = Facts(channel="", connector="")
_COMPLAINED = frozenset({"complaint", "suggestion"})
_WANTING = frozenset({"complaint", "request"})

Named = tuple[str, Provenance]


def measured(signals: Signals, messages: list[Message]) -> Measures:
    """What the model is told beside the text itself."""
    public = any(message.visibility is Visibility.PUBLIC for message in messages)
    return measures(signals, _verdicts(signals, messages), public=public)


def _verdicts(signals: Signals, messages: list[Message]) -> dict[str, str]:
    category = category_of(signals, "complaint")[0]
    wanted = expectation_of(signals, "complaint")[0]
    verdicts = {
        "nature": weighed_nature(signals, messages)[0],
        "category": category,
        "family": category.partition(".")[0],
        "priority": priority_of(signals, "complaint", category, _NO_FACTS)[0],
    }
    return verdicts | {f"wants {value}": "yes" for value in wanted}


def consult(
    signals: Signals, messages: list[Message], facts: Facts, load: Callable[[], Model | None]
) -> Opinion | None:
    """None where no model is shipped, the language is none of its own, or nothing was said."""
    hint = next((message.language for message in messages if message.language), "")
    model = load() if hint[:2].lower() in _LANGUAGES else None
    if model is None or not signals.reading.folded.strip():
        return None
    opinion = Opinion(model, signals.reading, measured(signals, messages))
    return opinion if opinion.is_founded else None


def nature_with(opinion: Opinion | None, signals: Signals, messages: list[Message], facts: Facts) -> Named:
    settled = settled_nature(signals, messages, facts)
    if settled is not None:
        return settled
    by_rules = weighed_nature(signals, messages)
    if opinion is None:
        return by_rules
    return _likeliest(opinion, signals, "nature", by_rules, opinion.probabilities("nature", by_rules[0]))


def category_with(opinion: Opinion | None, signals: Signals, nature: str) -> tuple[str, Provenance | None]:
    value, why = category_of(signals, nature)
    if opinion is None or why is None:
        return value, why
    likely = opinion.probabilities("category", value)
    if nature == "suggestion":
        likely = {name: chance for name, chance in likely.items() if name.startswith(OF_SUGGESTIONS)}
    return _likeliest(opinion, signals, "category", (value, why), likely)


def priority_with(
    opinion: Opinion | None, signals: Signals, nature: str, category: str, facts: Facts
) -> tuple[str, Provenance | None]:
    value, why = priority_of(signals, nature, category, facts)
    if opinion is None or why is None or nature != "complaint" or is_certain(value, why):
        return value, why
    return _likeliest(opinion, signals, "priority", (value, why), opinion.probabilities("priority", value))


def expectation_with(opinion: Opinion | None, signals: Signals, nature: str) -> tuple[tuple[str, ...], Provenance]:
    """What the model knows is taken at its word, what is too rare for it at the rules'."""
    values, why = expectation_of(signals, nature)
    if opinion is None or nature not in _WANTING:
        return values, why
    bars = opinion.model.table.head.bars
    chances = {value: opinion.chance("expectation", value) for value in bars}
    wanted = {value for value, chance in chances.items() if chance >= bars[value]}
    wanted |= {value for value in values if value not in bars and value != "none"}
    if nature == "request" and not wanted:
        return values, why
    found = tuple(sorted(wanted)) or ("none",)
    if found == values:
        return values, why
    score = min((chances[value] for value in wanted if value in chances), default=1 - max(chances.values()))
    words = [words for value in sorted(wanted) for words in _words(opinion, signals, "expectation", value)]
    return found, _by(opinion, score, words)


def _likeliest(opinion: Opinion, signals: Signals, field: str, by_rules: Named, likely: Mapping[str, float]) -> Named:
    """Where rules say the same in so many words, they are the reason; the score is the model's in any case."""
    value = max(likely, key=lambda name: likely[name])
    score = round(likely[value], 2)
    said, why = by_rules
    if value == said and why.source.startswith("rule:"):
        return value, Provenance(source=why.source, score=score, evidence=why.evidence)
    return value, _by(opinion, score, _words(opinion, signals, field, value))


def _by(opinion: Opinion, score: float, words: list[Evidence]) -> Provenance:
    evidence = tuple(dict.fromkeys(words))[:_MAX_EVIDENCE]
    return Provenance(source=f"model:{opinion.model.name}", score=round(score, 2), evidence=evidence)


def _words(opinion: Opinion, signals: Signals, field: str, value: str) -> list[Evidence]:
    """Of rules for that value the first, then the model's own."""
    signs: list[Sign] = signals.signs.get((field, value), [])[:_MAX_SIGNS]
    spans = [(sign.start, sign.end) for sign in signs]
    if value in opinion.model.table.fields[field]:
        spans += opinion.words(field, value)
    return [signals.reading.evidence(*span) for span in spans]
