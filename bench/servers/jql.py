"""The part of JQL that programs use to find what they made: clauses joined by AND, these by OR, one order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_ORDER = re.compile(r"\s*\bORDER BY\s+(\w+)(?:\s+(ASC|DESC))?\s*$", re.IGNORECASE)
_CLAUSE = re.compile(r'^\s*([\w.\[\]]+)\s*(<=|>=|=|~)\s*("(?:[^"\\]|\\.)*"|[\w-]+)\s*$')
_AGO = re.compile(r"-(\d+)([mhdw])")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WORD = re.compile(r"\w+")


class BadQuery(ValueError):
    """Jira's own words."""


@dataclass(frozen=True, slots=True)
class Query:
    matches: Callable[[Mapping[str, Any]], bool]
    order: str
    is_descending: bool


def parse(text: str, now: float) -> Query:
    """`matches` takes {"project", "labels", "summary", "created", "number"}. Raises BadQuery."""
    order = _ORDER.search(text)
    body = text[: order.start()] if order else text
    if not body.strip():
        raise BadQuery("Unbounded JQL queries are not allowed here. Please add a search restriction to your query.")
    groups = [[_test(clause, now) for clause in re.split(r"\bAND\b", group)] for group in re.split(r"\bOR\b", body)]
    return Query(
        matches=lambda row: any(all(test(row) for test in group) for group in groups),
        order=order[1].lower() if order else "created",
        is_descending=order is None or (order[2] or "ASC").upper() == "DESC",
    )


def _test(clause: str, now: float) -> Callable[[Mapping[str, Any]], bool]:
    match = _CLAUSE.match(clause)
    if not match:
        raise BadQuery(f"Error in the JQL Query: {clause.strip()!r}.")
    name, operator, value = match[1].lower(), match[2], _unquoted(match[3])
    if (name, operator) == ("project", "="):
        return lambda row: row["project"] == value.upper()
    if (name, operator) == ("labels", "="):
        return lambda row: value.lower() in [label.lower() for label in row["labels"]]
    if (name, operator) == ("summary", "~"):
        return lambda row: _has_words(row["summary"], value)
    if name == "created" and operator in ("<=", ">="):
        limit = now - _ago(value)
        return lambda row: (row["created"] <= limit) == (operator == "<=")
    raise BadQuery(f"Field '{match[1]}' does not exist or you do not have permission to view it.")


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _has_words(text: str, value: str) -> bool:
    """A quoted phrase stands as it is, other words in any order; punctuation and case do not count."""
    there = _WORD.findall(text.lower())
    wanted = _WORD.findall(value.lower())
    if not value.startswith('"'):
        return set(wanted) <= set(there)
    return any(there[place : place + len(wanted)] == wanted for place in range(len(there)))


def _ago(value: str) -> float:
    match = _AGO.fullmatch(value)
    if not match:
        raise BadQuery(f"Date value '{value}' for field 'created' is invalid.")
    return float(match[1]) * _SECONDS[match[2]]
