"""A rule pack: named rules read from TOML, and the hits they have in a text."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from allears_sdk.complaint import CATEGORIES, EXPECTATIONS, NATURES, PRIORITIES
from normalizer.rules.literals import Guarded, Guards, guard, matches_of, may_match
from normalizer.rules.matcher import Words
from normalizer.rules.shapes import Shapes, load_shapes

_VALUES = {
    "nature": (*NATURES, "greeting"),
    "category": CATEGORIES,
    "priority": PRIORITIES,
    "expectation": EXPECTATIONS,
}
_KEYS = {"id", "field", "value", "weight", "words", "patterns", "negatable", "priority", "grievance", "decides"}
LANGUAGES = ("zh", "en")


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
    decides: bool = False
    """An admin's own rule: what it says goes, whatever else was found."""
    place: str = ""
    """File and line of an admin's rule; empty for a packaged one."""


class Hit(msgspec.Struct, frozen=True, gc=False):
    """Words of the folded text that a rule is about."""

    rule: Rule
    start: int
    end: int


class Found(NamedTuple):
    """What a pack finds in a text."""

    hits: list[Hit]
    """Negated or not, by where they begin; of those that begin together the longest first."""
    contrast_at: int
    """Where a contrast (但是, but) begins; -1: nowhere."""
    may_negate: bool
    """Whether the text has words of a negation at all."""


_START, _END = attrgetter("start"), attrgetter("end")


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules of one language, compiled."""

    language: str
    rules: tuple[Rule, ...]
    negation: re.Pattern[str]
    contrast: re.Pattern[str]
    firm: re.Pattern[str]
    """An @handle that answers for a firm (@AskAcme, @acme_support): who writes to it writes as a customer."""
    reported: re.Pattern[str]
    """What before an ask in its clause says that somebody of the firm said it (客服说给我退)."""
    _words: Words = field(init=False, repr=False)
    _by_word: dict[str, tuple[Rule, ...]] = field(init=False, repr=False)
    _guards: Guards = field(init=False, repr=False)
    _negation: Guarded = field(init=False, repr=False)
    _contrast: Guarded = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_word: dict[str, tuple[Rule, ...]] = {}
        for rule in self.rules:
            for word in rule.words:
                by_word[word] = (*by_word.get(word, ()), rule)
        guards = Guards([list(map(guard, _patterns(rule))) for rule in self.rules])
        negation, contrast = guard(self.negation), guard(self.contrast)
        literals = guards.literals.union(*negation.needs, *contrast.needs)
        object.__setattr__(self, "_by_word", by_word)
        object.__setattr__(self, "_words", Words(by_word, literals))
        object.__setattr__(self, "_guards", guards)
        object.__setattr__(self, "_negation", negation)
        object.__setattr__(self, "_contrast", contrast)

    def find(self, text: str) -> Found:
        """In folded text."""
        words, seen = self._words.scan(text)
        hits = [Hit(rule, start, end) for word, start, end in words for rule in self._by_word[word]]
        for number, ways in self._guards.worthwhile(seen).items():
            rule = self.rules[number]
            hits += [Hit(rule, *match.span()) for match in matches_of(ways, text, seen)]
        hits.sort(key=_END, reverse=True)
        hits.sort(key=_START)
        contrast = self.contrast.search(text) if may_match(self._contrast.needs, seen) else None
        return Found(hits, contrast.start() if contrast else -1, may_match(self._negation.needs, seen))


@dataclass(frozen=True, slots=True)
class Rules:
    packs: tuple[Pack, ...]
    shapes: Shapes = field(default_factory=load_shapes)
    version: str = ""
    """A digest of what they were read from."""
    decides: bool = False
    """Whether some of them are an admin's that decide."""

    def pack(self, language: str) -> Pack | None:
        return next((pack for pack in self.packs if pack.language == language), None)


@lru_cache(maxsize=1)
def load() -> Rules:
    """The packaged rules, read and compiled once per process."""
    return Rules(tuple(map(packaged_pack, LANGUAGES)), version=version_of(()))


@lru_cache(maxsize=len(LANGUAGES))
def packaged_pack(language: str) -> Pack:
    return build([packaged(language)])


def packaged(language: str) -> dict[str, Any]:
    return tomllib.loads(_text(language))


def version_of(own: Iterable[str]) -> str:
    """A digest of the packaged packs and shapes, and of these texts."""
    digest = hashlib.sha256()
    for text in (*map(_text, (*LANGUAGES, "shapes")), *own):
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()[:12]


def _text(name: str) -> str:
    return resources.files("normalizer.rules").joinpath(f"{name}.toml").read_text(encoding="utf-8")


def build(layers: Sequence[Mapping[str, Any]]) -> Pack:
    """One pack from a pack's data and what an admin laid over it: a rule with a known id replaces that rule.

    Raises RuleError for data that is no rule pack.
    """
    rules: dict[str, Rule] = {}
    merged: dict[str, Any] = {}
    for layer in layers:
        merged.update({key: value for key, value in layer.items() if key != "rule"})
        for data in layer.get("rule", ()):
            rule = read_rule(data, merged.get("language", ""))
            rules[rule.id] = rule
    return pack_of(merged, tuple(rules.values()))


def pack_of(data: Mapping[str, Any], rules: tuple[Rule, ...]) -> Pack:
    """Of these rules; its language and the patterns above its rules are those of `data`."""
    try:
        negation, reported = (re.compile(f"(?:{data.get(key, '(?!)')})$") for key in ("negation", "reported"))
        contrast, firm = (re.compile(data.get(key, "(?!)")) for key in ("contrast", "firm"))
    except re.error as error:
        raise RuleError(f"negation, contrast, firm or reported is no regular expression: {error}") from error
    return Pack(data.get("language", ""), rules, negation, contrast, firm, reported)


def read_rule(data: Mapping[str, Any], language: str) -> Rule:
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
