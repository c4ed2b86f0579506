"""Columns of a table, and values as they hold them. Page "Record data structure"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from allears_sdk.errors import ConfigError
from allears_sdk.settings import nearest

TEXT, NUMBER, SINGLE, MULTI, DATE, CHECKBOX, PERSON, PHONE, LINK, FILES = 1, 2, 3, 4, 5, 7, 11, 13, 15, 17
RELATIONS = frozenset({18, 21})
Column = Mapping[str, int]
"""Name → type."""


def fitting(columns: Mapping[str, int], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values (text, number, list of texts, or {"at": milliseconds}) in the form that their columns take. What is empty,
    or no value of that type, is left out: it stands in the text. Raises ConfigError for an unknown column."""
    made: dict[str, Any] = {}
    for name, value in values.items():
        if name not in columns:
            raise ConfigError(f'the table has no column "{name}"{nearest(name, sorted(columns))}')
        if columns[name] not in _FORMS:
            raise ConfigError(f'column "{name}" is of a type that allears cannot write ({columns[name]})')
        formed = _FORMS[columns[name]](value)
        if formed not in ("", None, []):
            made[name] = formed
    return made


def plain(value: Any) -> Any:
    """As a frozen request holds it: an instant is named as one."""
    if isinstance(value, datetime):
        return {"at": int(value.timestamp() * 1000), "text": value.strftime("%Y-%m-%d %H:%M UTC")}
    return list(value) if isinstance(value, tuple) else value


def text_in(cell: Any) -> str:
    """A text column's value as it is read: segments, or plain."""
    if isinstance(cell, str):
        return cell
    segments = cell if isinstance(cell, list) else []
    return "".join(str(segment.get("text", "")) for segment in segments if isinstance(segment, dict))


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return str(value["text"])
    return "、".join(map(str, value)) if isinstance(value, list) else str(value)


def _number(value: Any) -> float | None:
    try:
        return value if isinstance(value, int | float) else float(_text(value))
    except ValueError:
        return None


def _several(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [_text(value)] if value else []


def _instant(value: Any) -> int | None:
    return int(value["at"]) if isinstance(value, dict) else None


def _yes(value: Any) -> bool:
    return value is True or _text(value).lower() in {"true", "1", "yes", "是"}


def _people(value: Any) -> list[dict[str, str]]:
    return [{"id": one} for one in _several(value)]


def _link(value: Any) -> dict[str, str] | None:
    return {"link": _text(value), "text": _text(value)} if _text(value).startswith(("http://", "https://")) else None


_FORMS: Mapping[int, Callable[[Any], Any]] = {
    TEXT: _text,
    NUMBER: _number,
    SINGLE: _text,
    MULTI: _several,
    DATE: _instant,
    CHECKBOX: _yes,
    PERSON: _people,
    PHONE: _text,
    LINK: _link,
}
