"""Examples for rules: a text, and what must come of it; read from TOML or JSONL."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from allears.cli.failures import Exit, Failure
from allears.cli.normalising import PUBLIC
from allears.cli.session import Session
from allears_sdk.complaint import Entities
from allears_sdk.message import Author, Message, Rating, Visibility
from normalizer.rules.faults import VALUES

KINDS = tuple(kind.name for kind in fields(Entities))
_EXPECTED = (*VALUES, "entities")
_GIVEN = ("id", "text", "subject", "connector", "public", "rating", "level")
_LABELLED = ("gold", "lang", "channel_kind")
"""As files of labelled texts have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    name: str
    messages: tuple[Message, ...]
    expected: Mapping[str, Any] = field(default_factory=dict)
    connector: str = ""
    level: str = ""


def read_examples(session: Session, path: Path) -> list[Example]:
    """Raises Failure naming the first that is none."""
    text = path.read_text(encoding="utf-8-sig")
    rows = _jsonl(session, path, text) if path.suffix.lower() in (".jsonl", ".ndjson") else _toml(session, path, text)
    examples = [_example(session, f"{path}{place}", f"{at}", row) for at, (place, row) in enumerate(rows, start=1)]
    if not examples:
        raise Failure(session.say("examples_none", path=path), Exit.FAULTS)
    return examples


def _toml(session: Session, path: Path, text: str) -> Iterator[tuple[str, Any]]:
    from allears.settings.places import line_of, lines

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _bad(session, str(path), str(error)) from None
    unknown = sorted(set(data) - {"example"})
    rows = data.get("example", [])
    if unknown or not isinstance(rows, list):
        key = unknown[0] if unknown else "example"
        raise _bad(session, str(path), session.say("example_key", name=key, valid="[[example]]"))
    known = lines(text)
    for at, row in enumerate(rows):
        yield f":{line_of(('example', str(at)), known)}", row


def _jsonl(session: Session, path: Path, text: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                yield f":{number}", json.loads(line)
            except ValueError as error:
                raise _bad(session, f"{path}:{number}", str(error)) from None


def _example(session: Session, place: str, name: str, row: Any) -> Example:
    if not isinstance(row, dict):
        raise _bad(session, place, session.say("example_text"))
    valid = (*_GIVEN, *_EXPECTED, *_LABELLED)
    for key in row:
        if key not in valid:
            raise _bad(session, place, session.say("example_key", name=key, valid=", ".join((*_GIVEN, *_EXPECTED))))
    texts = [row["text"]] if isinstance(row.get("text"), str) else row.get("text")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise _bad(session, place, session.say("example_text"))
    expected = _expected(session, place, row.get("gold") or {key: row[key] for key in _EXPECTED if key in row})
    connector = str(row.get("connector") or row.get("channel_kind") or "")
    return Example(
        name=str(row.get("id") or f"#{name}"),
        messages=tuple(_messages(texts, row, public=bool(row.get("public", connector in PUBLIC)))),
        expected=expected,
        connector=connector,
        level=str(row.get("level") or ""),
    )


def _messages(texts: Sequence[str], row: Mapping[str, Any], *, public: bool) -> Iterator[Message]:
    rating = Rating(value=row["rating"], best=5) if isinstance(row.get("rating"), int | float) else None
    for at, text in enumerate(texts):
        yield Message(
            text=text,
            external_id=f"#{at + 1}",
            revision="1",
            author=Author(id="customer"),
            subject=str(row.get("subject") or "") if at == 0 else "",
            visibility=Visibility.PUBLIC if public else Visibility.PRIVATE,
            rating=rating if at == 0 else None,
        )


def _expected(session: Session, place: str, given: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in given.items() if key in _EXPECTED}
    for key, value in found.items():
        if not (_are_entities(value) if key == "entities" else _is_one_of(key, value)):
            raise _bad(
                session, place, session.say("example_value", name=key, value=json.dumps(value, ensure_ascii=False))
            )
    return found


def _is_one_of(key: str, value: Any) -> bool:
    if key == "expectation":
        return isinstance(value, list) and all(one in VALUES[key] for one in value)
    levels = {one.partition(".")[0] for one in VALUES[key]} if key == "category" else set()
    return value == "" or value in VALUES[key] or value in levels


def _are_entities(value: Any) -> bool:
    return isinstance(value, dict) and all(
        kind in KINDS and isinstance(words, list) and all(isinstance(one, str) for one in words)
        for kind, words in value.items()
    )


def _bad(session: Session, place: str, reason: str) -> Failure:
    return Failure(session.say("example_bad", place=place, reason=reason), Exit.FAULTS)
