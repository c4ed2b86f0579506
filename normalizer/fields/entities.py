"""Exact words that name an order, a product, a person or a way to reach someone."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, field, fields

from allears_sdk.complaint import Entities, Evidence, Provenance
from normalizer.fields.reading import Reading
from normalizer.rules.shapes import Shape, Shapes, load_shapes

KINDS = tuple(kind.name for kind in fields(Entities))
_MAX_EACH = 20
_PRESENT = {"digit": re.compile(r"\d"), "latin": re.compile(r"[a-zA-Z]"), "han": re.compile(r"[^\x00-\x7f]")}
_ORDER_NEAR = re.compile(r"订单|单号|\border\b")
_LONG_NUMBER = re.compile(r"\d(?<![\w.-].)\d{9,21}(?![\w.-])")
_ORDER_REACH = 160
_SIGNATURE_LINES = 12
_TELLING_MODEL = 4
"""A model of fewer characters (S2, G2) says something only with a name before it."""


@dataclass(slots=True)
class _Found:
    reading: Reading
    shapes: Shapes
    spans: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    claimed: list[tuple[int, int]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """Which shape found the first of a kind."""
    seen: Set[str] = frozenset()
    """Literals of shapes that occur."""

    def __post_init__(self) -> None:
        self.seen = self.shapes.literals.scan(self.reading.folded).seen

    def take(self, kind: str, name: str, start: int, end: int) -> None:
        if any(start < stop and begin < end for begin, stop in self.claimed):
            return
        spans = self.spans.setdefault(kind, [])
        if len(spans) < _MAX_EACH:
            self.claimed.append((start, end))
            spans.append((start, end))
            self.names.setdefault(kind, name)


def entities_of(mentions: Reading, quoted: Reading) -> tuple[Entities, dict[str, Provenance]]:
    """Entities of the customer's messages, 20 of a kind at most; quoted replies give order numbers only."""
    shapes = load_shapes()
    found = _Found(mentions, shapes)
    _by_shape(found)
    _signed(found)
    _spoken_orders(found)
    only_orders = _Found(quoted if "order" not in found.spans else Reading(()), shapes)
    if only_orders.reading.text:
        _by_shape(only_orders)
    words = {kind: _unique(found, kind) for kind in KINDS}
    provenance = {f"entities.{kind}": _provenance(found, kind) for kind in KINDS if found.spans.get(kind)}
    if "order" in only_orders.spans:
        words["order"] = _unique(only_orders, "order")
        provenance["entities.order"] = _provenance(only_orders, "order")
    return Entities(**words), provenance


def _unique(found: _Found, kind: str) -> tuple[str, ...]:
    spans = sorted(found.spans.get(kind, ()))
    return tuple(dict.fromkeys(found.reading.text[start:end] for start, end in spans))


def _provenance(found: _Found, kind: str) -> Provenance:
    evidence: list[Evidence] = [found.reading.evidence(start, end) for start, end in sorted(found.spans[kind])]
    return Provenance(source=f"shape:{kind}.{found.names[kind]}", score=0.9, evidence=tuple(evidence))


def _by_shape(found: _Found) -> None:
    text = found.reading.text
    has = {name: pattern.search(text) is not None for name, pattern in _PRESENT.items()}
    for shape in found.shapes.everywhere:
        if has.get(shape.needs, shape.needs in text):
            _take_all(found, shape, 0, len(text))


def _take_all(found: _Found, shape: Shape, begin: int, end: int) -> None:
    text = found.reading.text if shape.cased else found.reading.folded
    for match in shape.find(text, found.seen, begin, end):
        start, stop = _span(shape, match)
        if shape.kind == "order" and text[start - 1 : start] == "#":
            start -= 1
        if _holds(found, shape, match, found.reading.text[start:stop]):
            found.take(shape.kind, shape.name, start, stop)


def _span(shape: Shape, match: re.Match[str]) -> tuple[int, int]:
    return match.span() if shape.name == "model" else match.span(match.lastindex or 0)


def _holds(found: _Found, shape: Shape, match: re.Match[str], words: str) -> bool:
    """What a shape alone cannot say."""
    if shape.name == "model":
        return bool(match["en"] or match["zh"]) or len(match["model"]) >= _TELLING_MODEL
    if shape.kind == "person" and shape.cased:
        return not any(word.strip(".").casefold() in found.shapes.not_names for word in words.split())
    return True


def _spoken_orders(found: _Found) -> None:
    """A long number soon after somebody spoke of an order (read out and repeated in a call)."""
    text = found.reading.folded
    for match in _LONG_NUMBER.finditer(text):
        if _ORDER_NEAR.search(text, max(0, match.start() - _ORDER_REACH), match.start()):
            found.take("order", "spoken", *match.span())


def _signed(found: _Found) -> None:
    """Names that stand alone in one of a message's last lines."""
    reading = found.reading
    for passage, start in zip(reading.passages, reading.starts, strict=True):
        if "\n" in passage.text:
            for shape in found.shapes.signature:
                _take_all(found, shape, start + _tail(passage.text), start + len(passage.text))


def _tail(text: str) -> int:
    """Where the last lines begin; never the very first line."""
    at = len(text)
    for _ in range(_SIGNATURE_LINES):
        at = text.rfind("\n", 0, at)
        if at < 0:
            break
    return max(at, text.find("\n")) + 1
