"""An admin's rule files laid over the packaged packs: what they add, replace, extend and switch off."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Literal

from allears_sdk.complaint import Entities
from normalizer.own_rules import OwnRules
from normalizer.rules.faults import (
    RuleFault,
    Trouble,
    troubles_of_extension,
    troubles_of_pattern,
    troubles_of_rule,
    troubles_of_shape,
)
from normalizer.rules.fold import fold
from normalizer.rules.pack import (
    LANGUAGES,
    Pack,
    Rule,
    RuleError,
    Rules,
    load,
    pack_of,
    packaged,
    packaged_pack,
    read_rule,
    version_of,
)
from normalizer.rules.shapes import Shape, packaged_shapes, read_shape, shapes_of

KINDS = tuple(kind.name for kind in fields(Entities))
_TABLES = ("rule", "extend", "shape")
_ABOVE = ("negation", "contrast", "firm", "reported")
_PLAIN = ("language", "off", *_ABOVE)
_SHAPE = "shape:"

State = Literal["packaged", "own", "replaces", "extended", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A rule or a shape, and what became of it."""

    rule: Rule | Shape
    state: State
    file: str = ""
    """Of the admin's files the one that speaks of it."""
    path: tuple[str, ...] = ()
    """Where in that file."""

    @property
    def is_own(self) -> bool:
        """Whether words of the admin's are in it, and count."""
        return self.state in ("own", "replaces", "extended")

    @property
    def name(self) -> str:
        return self.rule.id if isinstance(self.rule, Rule) else f"{_SHAPE}{self.rule.kind}.{self.rule.name}"


class OwnRuleError(RuleError):
    """Files of rules that cannot be used, with every fault in them."""

    def __init__(self, faults: Sequence[RuleFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{one.file}: {one.rule or '.'.join(one.path)}: {one.say('en')}" for one in faults))


@lru_cache(maxsize=1)
def compose(own: OwnRules) -> Rules:
    """The packaged rules with the admin's laid over them, compiled; the last ones are kept. Raises OwnRuleError."""
    if not own:
        return load()
    layers = _layers(own)
    packs = tuple(_pack(language, layers) for language in LANGUAGES)
    shapes = [one.rule for one in _shape_entries(layers) if one.state != "off" and isinstance(one.rule, Shape)]
    decides = any(rule.decides for pack in packs for rule in pack.rules)
    return Rules(packs, shapes_of(shapes), version_of([text for _, text in own.files]), decides)


def _pack(language: str, layers: Sequence[_Layer]) -> Pack:
    entries = _entries(language, layers)
    mine = [layer.data for layer in layers if layer.language == language]
    above = {key: one[key] for one in mine for key in _ABOVE if key in one}
    if not above and all(entry.state == "packaged" for entry in entries):
        return packaged_pack(language)
    rules = tuple(one.rule for one in entries if one.state != "off" and isinstance(one.rule, Rule))
    return pack_of(packaged(language) | above, rules)


def _entries(language: str, layers: Sequence[_Layer]) -> list[Entry]:
    rules = [read_rule(row, language) for row in packaged(language)["rule"]]
    entries = {rule.id: Entry(rule=rule, state="packaged") for rule in rules}
    mine = [layer for layer in layers if layer.language == language]
    for layer, path, name, row in _named(mine, "rule"):
        words = [fold(word) for word in row.get("words", ())]
        rule = read_rule({"decides": True, **row, "id": name.partition(".")[2], "words": words}, language)
        state: State = "replaces" if name in entries else "own"
        entries[name] = Entry(rule=replace(rule, place=layer.name), state=state, file=layer.name, path=path)
    for layer, path, name, row in _named(mine, "extend"):
        known = entries.get(name)
        if known is not None and isinstance(known.rule, Rule):
            extended = _extended(known.rule, row, layer.name)
            entries[name] = Entry(rule=extended, state="extended", file=layer.name, path=path)
    return _without(entries, layers)


def _extended(rule: Rule, row: Mapping[str, Any], file: str) -> Rule:
    words = dict.fromkeys((*rule.words, *map(fold, row.get("words", ()))))
    return replace(rule, words=tuple(words), patterns=(*rule.patterns, *row.get("patterns", ())), place=file)


def _shape_entries(layers: Sequence[_Layer]) -> list[Entry]:
    """The admin's first: what they claim no other shape reads."""
    ours = {_shape_name(row): Entry(rule=read_shape(row), state="packaged") for row in packaged_shapes()}
    own: dict[str, Entry] = {}
    for layer, path, name, row in _named(layers, "shape"):
        state: State = "replaces" if ours.pop(name, None) else "own"
        own[name] = Entry(rule=read_shape(row), state=state, file=layer.name, path=path)
    return _without(own | ours, layers)


def _named(layers: Sequence[_Layer], table: str) -> Iterator[tuple[_Layer, tuple[str, str], str, dict[str, Any]]]:
    for layer in layers:
        for at, name, row in layer.named(table):
            yield layer, (table, str(at)), name, row


def _without(entries: Mapping[str, Entry], layers: Sequence[_Layer]) -> list[Entry]:
    off = {name: (layer.name, ("off", str(at))) for layer in layers for at, name in enumerate(layer.off)}
    return [
        replace(entry, state="off", file=off[name][0], path=off[name][1]) if name in off else entry
        for name, entry in entries.items()
    ]


def _rule_name(language: str, row: Mapping[str, Any]) -> str:
    return f"{language}.{row['id']}"


def _shape_name(row: Mapping[str, Any]) -> str:
    return f"{_SHAPE}{row.get('kind', '?')}.{row.get('name', '?')}"


def inventory(own: OwnRules) -> list[Entry]:
    """Every rule and shape there is, those that are switched off too. Raises OwnRuleError."""
    layers = _layers(own)
    return [*(entry for language in LANGUAGES for entry in _entries(language, layers)), *_shape_entries(layers)]


def faults_in(own: OwnRules) -> list[RuleFault]:
    """All that is wrong, as far as can be seen without running a pattern."""
    faults: list[RuleFault] = []
    known: dict[str, str] = {}
    for name, text in own.files:
        faults += _Layer(name, text).faults(known)
    return faults


def remarks_on(own: OwnRules) -> list[RuleFault]:
    """What has no effect, and should be looked at: rules of ours that are not there (any more)."""
    return [remark for layer in _layers(own) for remark in layer.remarks()]


def patterns_in(own: OwnRules) -> Iterator[tuple[str, tuple[str, ...], str, str]]:
    """(file, path, rule, pattern) of every pattern in files without faults."""
    for layer in _layers(own):
        yield from layer.patterns()


def _layers(own: OwnRules) -> list[_Layer]:
    faults = faults_in(own)
    if faults:
        raise OwnRuleError(faults)
    return [_Layer(name, text) for name, text in own.files]


class _Layer:
    """One file."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.data: dict[str, Any] = {}
        self.broken: RuleFault | None = None
        try:
            self.data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self.broken = self._fault(("",), "", "syntax", {"reason": str(error)})

    @property
    def language(self) -> str:
        return str(self.data.get("language", ""))

    def rows(self, table: str) -> list[dict[str, Any]]:
        rows = self.data.get(table, [])
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    @property
    def off(self) -> list[str]:
        return [self._full(str(one)) for one in self.data.get("off", ())]

    def named(self, table: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """(number, full name, row)."""
        for at, row in enumerate(self.rows(table)):
            yield at, self._name(table, row), row

    def faults(self, known: dict[str, str]) -> list[RuleFault]:
        """`known`: names in the files before, and which; it learns those of this one."""
        if self.broken:
            return [self.broken]
        found = [*self._faults_above()]
        checks: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Trouble]]] = {
            "rule": troubles_of_rule,
            "extend": troubles_of_extension,
            "shape": lambda row: troubles_of_shape(row, KINDS),
        }
        for table, check in checks.items():
            for at, name, row in self.named(table):
                place = (table, str(at))
                found += [self._fault((*place, *key.split(".")), name, code, facts) for key, code, facts in check(row)]
                if known.setdefault(f"{table} {name}", self.name) != self.name or self._is_second(table, at, name):
                    found.append(self._fault(place, name, "twice", {"other": known[f"{table} {name}"]}))
        return found

    def _is_second(self, table: str, at: int, name: str) -> bool:
        return any(other == name for number, other, _ in self.named(table) if number < at)

    def _faults_above(self) -> Iterator[RuleFault]:
        for key, value in self.data.items():
            if key not in (*_TABLES, *_PLAIN):
                valid = {"given": key, "valid": ", ".join((*_PLAIN, *(f"[[{table}]]" for table in _TABLES)))}
                yield self._fault((key,), "", "unknown_table", valid)
            elif key in _TABLES and len(self.rows(key)) != (len(value) if isinstance(value, list) else -1):
                yield self._fault((key,), "", "unknown_table", {"given": key, "valid": f"[[{key}]]"})
        if self.language not in LANGUAGES and any(key in self.data for key in ("language", "rule", "extend")):
            yield self._fault(("language",), "", "no_language", {})
        off = self.data.get("off", [])
        if not isinstance(off, list) or not all(isinstance(one, str) for one in off):
            yield self._fault(("off",), "", "bad_type", {"given": "off", "type": "a list of strings"})
        for key in _ABOVE:
            if isinstance(pattern := self.data.get(key, "x"), str):
                for code, facts in troubles_of_pattern(pattern, cased=False):
                    yield self._fault((key,), key, code, facts)
            else:
                yield self._fault((key,), "", "bad_type", {"given": key, "type": "a string"})

    def remarks(self) -> Iterator[RuleFault]:
        ours = [_rule_name(self.language, row) for row in packaged(self.language)["rule"]] if self.language else []
        ours += [_shape_name(row) for row in packaged_shapes()]
        wanted = [(("off", str(at)), name) for at, name in enumerate(self.off)]
        wanted += [(("extend", str(at)), name) for at, name, _ in self.named("extend")]
        for path, name in wanted:
            if name not in ours:
                close = difflib.get_close_matches(name, ours, n=1)
                near = {"given": name, "nearest": close[0] if close else ""}
                yield self._fault(path, name, "unknown_rule", near)

    def patterns(self) -> Iterator[tuple[str, tuple[str, ...], str, str]]:
        for key in _ABOVE:
            if key in self.data:
                yield self.name, (key,), key, self.data[key]
        for table in _TABLES:
            for at, name, row in self.named(table):
                place = (table, str(at))
                if "pattern" in row:
                    yield self.name, (*place, "pattern"), name, row["pattern"]
                for number, pattern in enumerate(row.get("patterns", ())):
                    yield self.name, (*place, "patterns", str(number)), name, pattern

    def _name(self, table: str, row: Mapping[str, Any]) -> str:
        return _shape_name(row) if table == "shape" else self._full(str(row.get("id", "?")))

    def _full(self, name: str) -> str:
        is_full = name.startswith((_SHAPE, *(f"{language}." for language in LANGUAGES)))
        return name if is_full else f"{self.language}.{name}"

    def _fault(self, path: tuple[str, ...], rule: str, code: str, facts: Mapping[str, object]) -> RuleFault:
        return RuleFault(file=self.name, path=path, rule=rule, code=code, facts=facts)
