"""Exact words that name an order, a product, a person or a way to reach someone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields

from allears_sdk.complaint import Entities, Evidence, Provenance
from normalizer.fields.reading import Reading
from normalizer.rules.literals import Span
from normalizer.rules.shapes import Patterns, Shape, Shapes, near_digits

KINDS = tuple(kind.name for kind in fields(Entities))
_MAX_EACH = 20
_DIGIT = re.compile(r"\d")
_LATIN = re.compile("[a-zA-Z]")
_CAPITALISED = re.compile("[A-Z][a-z]+")
_ORDER_NEAR = re.compile(r"订单|单号|\bo+r*d+e?r+s?\b|\bpu+r+c?[a-z]{2,6}e\b")
"""With the slips of a hurried hand: oder, ordr, puurchase."""
_LONG_NUMBER = re.compile(r"(?<![\w.-])(?:[a-z]{0,3}\d{9,21}|[a-z]\d{7,8}|00\d{6,7})(?![\w.-])")
_ORDER_REACH = 160
_HANDLE = re.compile(r"@(\w{1,40})")
_OF_A_FIRM = re.compile(r"(?:_?(?:air|care|cs|cust|eats|help|india|online|serv|shop|store|support|team|u[ks]a?$)\w*)?")
_SIGNATURE_LINES = 12
_RETOLD = re.compile(r"(?:\bRT |[\"“])@\w{1,40}: {0,2}[\"“]?[^\"“”]{0,200}\Z")
"""Words of another's post: whom that one speaks to."""
_RETOLD_REACH = 250
_TELLING_MODEL = 4
"""A model of fewer characters (S2, G2) says something only with a name before it."""


@dataclass(slots=True)
class _Found:
    reading: Reading
    not_names: frozenset[str]
    given_names: frozenset[str]
    spans: dict[str, list[Span]] = field(default_factory=dict)
    claimed: list[Span] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """Which shape found the first of a kind."""

    def take(self, kind: str, name: str, start: int, end: int) -> None:
        if any(start < stop and begin < end for begin, stop in self.claimed):
            return
        spans = self.spans.setdefault(kind, [])
        if len(spans) < _MAX_EACH:
            self.claimed.append((start, end))
            spans.append((start, end))
            self.names.setdefault(kind, name)


def entities_of(mentions: Reading, quoted: Reading, shapes: Shapes) -> tuple[Entities, dict[str, Provenance]]:
    """Entities of the customer's messages, 20 of a kind at most; quoted replies give order numbers only."""
    found = _search(mentions, shapes, is_own=True)
    words = {kind: _unique(found, kind) for kind in KINDS if kind in found.spans}
    provenance = {f"entities.{kind}": _provenance(found, kind) for kind in words}
    if quoted.text and "order" not in words:
        below = _search(quoted, shapes, is_own=False)
        if "order" in below.spans:
            words["order"] = _unique(below, "order")
            provenance["entities.order"] = _provenance(below, "order")
    return Entities(**words), provenance


def _unique(found: _Found, kind: str) -> tuple[str, ...]:
    spans = sorted(found.spans[kind])
    return tuple(dict.fromkeys(found.reading.text[start:end] for start, end in spans))


def _provenance(found: _Found, kind: str) -> Provenance:
    evidence: list[Evidence] = [found.reading.evidence(start, end) for start, end in sorted(found.spans[kind])]
    return Provenance(source=f"shape:{kind}.{found.names[kind]}", score=0.9, evidence=tuple(evidence))


def _search(reading: Reading, shapes: Shapes, *, is_own: bool) -> _Found:
    """By shape, in their order; signatures and numbers read out only in the customer's own words."""
    text, found = reading.text, _Found(reading, shapes.not_names, shapes.given_names)
    has = {
        "digit": _DIGIT.search(text) is not None,
        "latin": _LATIN.search(text) is not None,
        "han": not text.isascii(),
    }
    whole, digits = [(0, len(text))], near_digits(text) if has["digit"] else []
    worthwhile = shapes.worthwhile(reading.folded)
    for shape, patterns in worthwhile:
        if shape.where == "text" and has.get(shape.needs, shape.needs in text):
            if shape.name == "given" and found.given_names.isdisjoint(map(str.lower, _CAPITALISED.findall(text))):
                continue
            _take_all(found, shape, patterns, digits if shape.is_near_digit else whole)
    if is_own:
        _signed(found, [pair for pair in worthwhile if pair[0].where == "signature"])
        _spoken_orders(found, digits)
    return found


def _take_all(found: _Found, shape: Shape, patterns: Patterns, spans: Iterable[Span]) -> None:
    text = found.reading.text
    for match in shape.find(patterns, text if shape.cased else found.reading.folded, spans):
        start, stop = _span(shape, match)
        if shape.kind == "order" and text[start - 1 : start] == "#":
            start -= 1
        if _holds(found, shape, match, text[start:stop]):
            found.take(shape.kind, shape.name, start, stop)


def _span(shape: Shape, match: re.Match[str]) -> tuple[int, int]:
    return match.span() if shape.name == "model" else match.span(match.lastindex or 0)


def _holds(found: _Found, shape: Shape, match: re.Match[str], words: str) -> bool:
    """What a shape alone cannot say."""
    if shape.name == "model":
        return bool(match["en"] or match["zh"]) or len(match["model"]) >= _TELLING_MODEL
    if shape.name in ("given_caps", "given_small"):
        return words.split(" ", 1)[0].casefold() in found.given_names
    if shape.name == "given" and re.split(r"[ .]", words, maxsplit=1)[0].casefold() not in found.given_names:
        return False
    if shape.kind == "person" and shape.cased:
        return _is_a_name(found, match.start(match.lastindex or 0), words)
    return True


def _is_a_name(found: _Found, start: int, words: str) -> bool:
    """Nobody in somebody else's post, no firm that is spoken to by its handle (@AcmeHelp Hi Acme)."""
    parts = [word.strip(".").casefold() for word in words.split()]
    text = found.reading.text
    if "@" in text:
        if _RETOLD.search(text[max(0, start - _RETOLD_REACH) : start]):
            return False
        if parts[0] not in found.given_names and any(_is_its_handle("".join(parts), one) for one in _handles(text)):
            return False
    return found.not_names.isdisjoint(parts)


def _handles(text: str) -> Iterator[str]:
    return (handle.casefold().removeprefix("ask") for handle in _HANDLE.findall(text))


def _is_its_handle(name: str, handle: str) -> bool:
    """A firm's own, and not that of somebody with this name (@maryhill is no firm Mary)."""
    return handle.startswith(name) and _OF_A_FIRM.fullmatch(handle, len(name)) is not None


def _spoken_orders(found: _Found, digits: list[Span]) -> None:
    """A long number soon after somebody spoke of an order (read out and repeated in a call)."""
    text = found.reading.folded
    for begin, end in digits:
        for match in _LONG_NUMBER.finditer(text, begin, end):
            if _ORDER_NEAR.search(text, max(0, match.start() - _ORDER_REACH), match.start()):
                found.take("order", "spoken", *match.span())


def _signed(found: _Found, shapes: list[tuple[Shape, Patterns]]) -> None:
    """Names that stand alone in one of a message's last lines."""
    reading = found.reading
    for passage, start in zip(reading.passages, reading.starts, strict=True):
        if "\n" in passage.text:
            lines = _last_lines(passage.text, start)
            for shape, patterns in shapes:
                _take_all(found, shape, patterns, lines)


def _last_lines(text: str, start: int) -> list[Span]:
    """Where they stand, from `start` on; never the very first line."""
    lines, end = list[Span](), len(text)
    while len(lines) < _SIGNATURE_LINES and (at := text.rfind("\n", 0, end)) >= 0:
        lines.append((start + at + 1, start + end))
        end = at
    return lines[::-1]
