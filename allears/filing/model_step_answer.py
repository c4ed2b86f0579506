"""What of an answer can be believed: values that a record may have, shown by words that stand in the text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from allears.filing.model_step_mask import PLACEHOLDERS
from allears.filing.model_step_question import VALUES, Question
from allears_sdk.codec import decode

MAX_QUOTES = 3
MAX_QUOTE_CHARACTERS = 200
MAX_PRODUCT_CHARACTERS = 80

_SHORTEST_QUOTE = 2
_THOUGHTS = re.compile(r"\A.*</think>", re.DOTALL)
_FENCE = re.compile(r"\A```(?:json)?\s*(.*?)\s*```\Z", re.DOTALL)
_EDGES = " \t\r\n\"'“”‘’「」『』«»"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A field's value and the places in the question's text that show it. As it is remembered: no words."""

    value: str | tuple[str, ...]
    at: tuple[tuple[int, int], ...] = ()


Answer = dict[str, Finding]
"""By field; empty where nothing could be believed."""


class Malformed(Exception):
    """The endpoint's answer is not what was asked for."""


class _Said(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Said


class _Completion(msgspec.Struct):
    choices: list[_Choice]


def read_answer(body: bytes, question: Question) -> tuple[Answer, Counter[str]]:
    """A chat completion → what can be believed, and how many things could not, by reason. Raises Malformed."""
    answer: Answer = {}
    ignored: Counter[str] = Counter()
    said = _content(body)
    for name in question.fields:
        finding = _finding(name, said.get(name), question, ignored)
        if finding is not None:
            answer[name] = finding
    ignored["unasked_field"] += len(said.keys() - set(question.fields))
    return answer, +ignored


def _content(body: bytes) -> Mapping[str, Any]:
    try:
        completion = decode(body, _Completion)
        said = completion.choices[0].message.content or ""
        plain = _THOUGHTS.sub("", said).strip()
        fenced = _FENCE.match(plain)
        return decode(fenced[1] if fenced else plain, dict[str, Any])
    except (ValueError, IndexError, RecursionError) as error:
        raise Malformed(type(error).__name__) from None


def _finding(name: str, given: Any, question: Question, ignored: Counter[str]) -> Finding | None:
    if not isinstance(given, Mapping) or "value" not in given:
        ignored["malformed_field"] += 1
        return None
    if given["value"] in (None, "", []):
        return None
    value = _value(name, given["value"])
    if value is None:
        ignored["unknown_value"] += 1
        return None
    quotes = given.get("quotes")
    at = _places(value if name == "product_or_order" else quotes, question, ignored)
    if not at and value != ("none",):
        ignored["no_evidence"] += 1
        return None
    return Finding(value=value, at=at)


def _value(name: str, given: Any) -> str | tuple[str, ...] | None:
    """One that the record's field may have; None for any other."""
    if name == "product_or_order":
        return _product(given)
    if name != "expectation":
        return given if isinstance(given, str) and given in VALUES[name] else None
    if not isinstance(given, list) or not all(isinstance(one, str) and one in VALUES[name] for one in given):
        return None
    wishes = set(given)
    return tuple(sorted(wishes - {"none"} or wishes))


def _product(given: Any) -> str | None:
    name = given.strip(_EDGES) if isinstance(given, str) else ""
    return name if name and len(name) <= MAX_PRODUCT_CHARACTERS and name.isprintable() else None


def _places(quotes: Any, question: Question, ignored: Counter[str]) -> tuple[tuple[int, int], ...]:
    """Where the quotes stand; those that stand nowhere are dropped."""
    places: dict[tuple[int, int], None] = {}
    for quote in _listed(quotes)[:MAX_QUOTES]:
        place = _place(quote, question.text)
        if place is None:
            ignored["invented_quote"] += 1
        else:
            places[place] = None
    return tuple(places)


def _listed(quotes: Any) -> list[Any]:
    return [quotes] if isinstance(quotes, str) else list(quotes) if isinstance(quotes, Iterable) else []


def _place(quote: Any, text: str) -> tuple[int, int] | None:
    """Words of the writer: what stands for personal data is none."""
    words = quote.strip(_EDGES) if isinstance(quote, str) else ""
    if not _SHORTEST_QUOTE <= len(words) <= MAX_QUOTE_CHARACTERS or any(one in words for one in PLACEHOLDERS):
        return None
    start = text.find(words)
    return (start, start + len(words)) if start >= 0 else None
