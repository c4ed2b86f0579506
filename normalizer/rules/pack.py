"""A rule pack: named rules read from TOML, and the hits they have in a text."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from itertools import groupby
from typing import Any, NamedTuple

from allears_sdk.complaint import CATEGORIES, EXPECTATIONS, NATURES, PRIORITIES
from normalizer.rules.literals import Guards, first_matches, guard
from normalizer.rules.matcher import Words

_VALUES = {
    "nature": (*NATURES, "greeting"),
    "category": CATEGORIES,
    "priority": PRIORITIES,
    "expectation": EXPECTATIONS,
}
_KEYS = {"id", "field", "value", "weight", "words", "patterns", "negatable", "priority", "grievance"}


class RuleError(ValueError):
    """A rule pack cannot be used; the message names the rule and what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    id: str
    """With its pack: `zh.broken`."""
    field: str
    """`nature`, `category`, `priority` or `expectation`."""
    value: str
    weight: float = 1.0
    words: tuple[str, ...] = ()
    """Literal words in lower case and simplified characters; Latin ones stand alone, `refund*` takes any ending."""
    patterns: tuple[str, ...] = ()
    """Regular expressions over the same folded text, for what words cannot say."""
    negatable: bool = True
    """Whether a negation before the words in their clause takes the hit away."""
    priority: str = ""
    """The least priority a complaint has when this rule holds."""
    grievance: bool = True
    """For a category: whether the words say by themselves that something is wrong."""


class Hit(NamedTuple):
    """Words of the folded text that a rule is about."""

    rule: Rule
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules of one language, compiled."""

    language: str
    rules: tuple[Rule, ...]
    negation: re.Pattern[str]
    contrast: re.Pattern[str]
    _words: Words = field(init=False, repr=False)
    _by_word: dict[str, tuple[Rule, ...]] = field(init=False, repr=False)
    _patterns: tuple[tuple[Rule, re.Pattern[str]], ...] = field(init=False, repr=False)
    _guards: Guards = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_word: dict[str, tuple[Rule, ...]] = {}
        for rule in self.rules:
            for word in rule.words:
                by_word[word] = (*by_word.get(word, ()), rule)
        patterns = [(rule, pattern) for rule in self.rules for pattern in _patterns(rule)]
        guards = Guards([guard(pattern) for _, pattern in patterns])
        object.__setattr__(self, "_by_word", by_word)
        object.__setattr__(self, "_words", Words(by_word, guards.literals))
        object.__setattr__(self, "_patterns", tuple(patterns))
        object.__setattr__(self, "_guards", guards)

    def find(self, text: str) -> Iterator[Hit]:
        """Every hit in folded text, whether negated or not."""
        words, seen = self._words.scan(text)
        for word, start, end in words:
            for rule in self._by_word[word]:
                yield Hit(rule, start, end)
        worthwhile = [self._patterns[number] for number in self._guards.worthwhile(seen)]
        for _, group in groupby(worthwhile, key=lambda pair: pair[0].id):
            rules, patterns = zip(*group, strict=True)
            for match in first_matches(patterns, text):
                yield Hit(rules[0], match.start(), match.end())


@dataclass(frozen=True, slots=True)
class Rules:
    packs: tuple[Pack, ...]

    def pack(self, language: str) -> Pack | None:
        return next((pack for pack in self.packs if pack.language == language), None)


@lru_cache(maxsize=8)
def load(languages: tuple[str, ...] = ("zh", "en")) -> Rules:
    """The packaged rules, read and compiled once per process."""
    return Rules(tuple(build([packaged(language)]) for language in languages))


def packaged(language: str) -> dict[str, Any]:
    text = resources.files("normalizer.rules").joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def build(layers: Sequence[Mapping[str, Any]]) -> Pack:
    """One pack from a pack's data and what an admin laid over it: a rule with a known id replaces that rule.

    Raises RuleError for data that is no rule pack.
    """
    rules: dict[str, Rule] = {}
    merged: dict[str, Any] = {}
    for layer in layers:
        merged.update({key: value for key, value in layer.items() if key != "rule"})
        for data in layer.get("rule", ()):
            rule = _rule(data, merged.get("language", ""))
            rules[rule.id] = rule
    try:
        negation = re.compile(f"(?:{merged.get('negation', '(?!)')})$")
        contrast = re.compile(merged.get("contrast", "(?!)"))
    except re.error as error:
        raise RuleError(f"negation or contrast is no regular expression: {error}") from error
    return Pack(merged.get("language", ""), tuple(rules.values()), negation, contrast)


def _rule(data: Mapping[str, Any], language: str) -> Rule:
    name = f"{language}.{data.get('id', '?')}"
    unknown = set(data) - _KEYS
    if unknown or not data.get("id"):
        raise RuleError(f"rule {name}: unknown or missing keys {sorted(unknown) or ['id']}")
    if data.get("value") not in _VALUES.get(data.get("field", ""), ()):
        raise RuleError(f"rule {name}: {data.get('field')!r} cannot be {data.get('value')!r}")
    if not all(data.get("words", ())) or data.get("priority", "P1") not in PRIORITIES:
        raise RuleError(f"rule {name}: an empty word, or a priority that is none of {PRIORITIES}")
    values: dict[str, Any] = {key: data[key] for key in set(data) - {"id"}}
    values |= {key: tuple(data.get(key, ())) for key in ("words", "patterns")}
    return Rule(id=name, **values)


def _patterns(rule: Rule) -> list[re.Pattern[str]]:
    try:
        return [re.compile(f"(?:{pattern})") for pattern in rule.patterns]
    except re.error as error:
        raise RuleError(f"rule {rule.id}: {error}") from error
