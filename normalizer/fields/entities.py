"""Exact words that name an order, a product, a person or a way to reach someone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from allears_sdk.complaint import Entities, Evidence, Provenance
from normalizer.fields import entity_patterns as shapes
from normalizer.fields.reading import Reading

KINDS = tuple(kind.name for kind in fields(Entities))
_MAX_EACH = 20
_DIGIT = re.compile(r"\d")
_LATIN = re.compile(r"[a-zA-Z]")
_ORDER_NEAR = re.compile(r"订单|单号|\border\b")
_LONG_NUMBER = re.compile(r"(?<![\w.-])(\d{10,22})(?![\w.-])")
_ORDER_REACH = 160
_SIGNATURE_LINES = 12


@dataclass(slots=True)
class _Found:
    reading: Reading
    spans: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    claimed: list[tuple[int, int]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """Which shape found the first of a kind."""

    def take(self, kind: str, name: str, start: int, end: int) -> None:
        if start < 0 or any(start < stop and begin < end for begin, stop in self.claimed):
            return
        self.claimed.append((start, end))
        if kind:
            spans = self.spans.setdefault(kind, [])
            if len(spans) < _MAX_EACH:
                spans.append((start, end))
                self.names.setdefault(kind, name)


def entities_of(mentions: Reading, quoted: Reading, names: tuple[str, ...] = ()) -> tuple[Entities, dict[str, Provenance]]:
    """Entities of the customer's messages; quoted replies give order numbers only."""
    found = _Found(mentions)
    _by_shape(found)
    _spoken_orders(found)
    _products(found, names)
    _people(found)
    only_orders = _Found(quoted)
    if quoted.text and "order" not in found.spans:
        _by_shape(only_orders)
    words = {kind: _unique(found, kind) for kind in KINDS}
    words["order"] = words["order"] or _unique(only_orders, "order")
    provenance = {f"entities.{kind}": _provenance(found, kind) for kind in KINDS if found.spans.get(kind)}
    if words["order"] and "entities.order" not in provenance:
        provenance["entities.order"] = _provenance(only_orders, "order")
    return Entities(**words), provenance


def _unique(found: _Found, kind: str) -> tuple[str, ...]:
    spans = sorted(found.spans.get(kind, ()))
    return tuple(dict.fromkeys(found.reading.text[start:end] for start, end in spans))


def _provenance(found: _Found, kind: str) -> Provenance:
    evidence: list[Evidence] = [found.reading.evidence(start, end) for start, end in sorted(found.spans[kind])]
    return Provenance(source=f"shape:{kind}.{found.names[kind]}", score=0.9, evidence=tuple(evidence))


def _by_shape(found: _Found) -> None:
    text = found.reading.folded
    has = {
        "digit": _DIGIT.search(text) is not None,
        "latin": _LATIN.search(text) is not None,
        "@": "@" in text,
        ":": "://" in text,
        "han": not text.isascii(),
        "": True,
    }
    for shape in shapes.SHAPES:
        if has[shape.needs]:
            for match in shape.pattern.finditer(text):
                start, end = match.span(1)
                if shape.kind == "order" and text[start - 1 : start] == "#":
                    start -= 1
                found.take(shape.kind, shape.name, start, end)


def _spoken_orders(found: _Found) -> None:
    """A long number soon after somebody spoke of an order (read out and repeated in a call)."""
    text = found.reading.folded
    for match in _LONG_NUMBER.finditer(text):
        if _ORDER_NEAR.search(text, max(0, match.start() - _ORDER_REACH), match.start()):
            found.take("order", "spoken", *match.span(1))


def _products(found: _Found, names: tuple[str, ...]) -> None:
    text = found.reading.text
    for match in shapes.MODEL_LED.finditer(text):
        found.take("product", "led", *match.span(1))
    if _DIGIT.search(text):
        for match in shapes.MODEL.finditer(text):
            if match["en"] or match["zh"] or len(match["model"]) > 3:
                found.take("product", "model", match.start(), match.end())
    for match in shapes.NAMED_EN.finditer(text):
        found.take("product", "named", *match.span(match.lastindex or 0))
    for name in names:
        start = text.find(name) if name else -1
        if start >= 0:
            found.take("product", "catalogue", start, start + len(name))


def _people(found: _Found) -> None:
    text = found.reading.text
    for match in shapes.PERSON_EN.finditer(text):
        start, end = match.span(match.lastindex or 0)
        if _is_name(text[start:end]):
            found.take("person", "introduced", start, end)
    for start, end in _signed(found.reading):
        found.take("person", "signed", start, end)


def _signed(reading: Reading) -> Iterator[tuple[int, int]]:
    """Names that stand alone in one of a message's last lines."""
    for passage, start in zip(reading.passages, reading.starts, strict=True):
        if passage.text.count("\n") == 0:
            continue
        begin = start + _tail(passage.text)
        end = start + len(passage.text)
        for match in shapes.SIGNED_ZH.finditer(reading.text, begin, end):
            yield match.span(1)
        for match in shapes.SIGNED_EN.finditer(reading.text, begin, end):
            if _is_name(match[1]):
                yield match.span(1)


def _tail(text: str) -> int:
    """Where the last lines begin; never the very first line."""
    at = len(text)
    for _ in range(_SIGNATURE_LINES):
        at = text.rfind("\n", 0, at)
        if at < 0:
            break
    first = text.find("\n")
    return max(at, first) + 1


def _is_name(words: str) -> bool:
    return not any(word.strip(".").casefold() in shapes.NOT_NAMES for word in words.split())
