"""Paths into a decoded body: JSONPath (RFC 9535), less whatever a hostile body could make slow.

One selector in each bracket, `..` at most once, and filters that compare (`?@.type == 'text'`): no functions, whose
patterns could run for ever, and no walks inside a filter. What is left takes time in proportion to the body.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator

if TYPE_CHECKING:
    from jsonpath import JSONPath, JSONPathEnvironment
    from jsonpath.filter import BaseExpression

MAX_PATH_CHARS = 500
MAX_PATHS = 64
HERE = "@"
"""Paths that begin with it start at the item (of `items`) or file; those that begin with `$` at the whole body."""
Paths = TypeVar("Paths", str, str | tuple[str, ...], str | tuple[str, ...] | dict[str, str])


class TooDeep(ValueError):
    """The body is nested deeper than anything real."""


@lru_cache(maxsize=1024)
def compile_path(text: str) -> JSONPath:
    """Raises ValueError saying what is wrong with it."""
    from jsonpath import JSONPath
    from jsonpath.exceptions import JSONPathError

    if not text.startswith(("$", HERE)) or len(text) > MAX_PATH_CHARS:
        raise ValueError(f'a path begins with $ (the body) or {HERE} (the item), as "$.data.text"')
    try:
        query = _environment().compile("$" + text[1:])
    except (JSONPathError, RecursionError, ValueError) as error:
        raise ValueError(f"not a JSONPath (RFC 9535): {str(error).partition(chr(10))[0]}") from None
    assert isinstance(query, JSONPath), "strict: no unions of paths"
    _check(query)
    return query


def check_path(text: str) -> str:
    """For settings. Raises ValueError."""
    compile_path(text)
    return text


def check_paths(given: Paths) -> Paths:
    """One, several, or a table of them. Raises ValueError naming the one that cannot be."""
    paths = (given,) if isinstance(given, str) else tuple(given.values() if isinstance(given, dict) else given)
    if not 0 < len(paths) <= MAX_PATHS:
        raise ValueError(f"1 to {MAX_PATHS} paths")
    for path in paths:
        try:
            compile_path(path)
        except ValueError as error:
            raise ValueError(f"{path[:80]}: {error}") from None
    return given


Path = Annotated[str, AfterValidator(check_path)]


def find(path: str, body: Any, here: Any) -> list[Any]:
    """All values there, in order; null is none. Raises TooDeep."""
    start = here if path.startswith(HERE) else body
    straight = _straight(path)
    if straight is not None:
        value = _follow(start, straight)
        return [] if value is None else [value]
    return _find(path, start)


def _find(path: str, start: Any) -> list[Any]:
    from jsonpath.exceptions import JSONPathRecursionError

    try:
        found = compile_path(path).findall(start)
    except (JSONPathRecursionError, RecursionError):
        raise TooDeep(f"{path}: the body is nested too deeply") from None
    return [value for value in found if value is not None]


@lru_cache(maxsize=1024)
def _straight(path: str) -> tuple[str | int, ...] | None:
    """A path of names and numbers alone, as most are: followed without the library, in a tenth of its time."""
    from jsonpath.selectors import NameSelector

    query = compile_path(path)
    if not _is_singular(query):
        return None
    selectors: list[Any] = [segment.selectors[0] for segment in query.segments]
    return tuple(one.name if isinstance(one, NameSelector) else one.index for one in selectors)


def _follow(value: Any, straight: tuple[str | int, ...]) -> Any:
    for step in straight:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            is_there = isinstance(value, list) and -len(value) <= step < len(value)
            value = value[step] if is_there else None
    return value


def steps(path: str) -> tuple[str | None, ...]:
    """A path of names and `[*]` alone, as names and None. Raises ValueError for any other."""
    from jsonpath.segments import JSONPathChildSegment
    from jsonpath.selectors import NameSelector, WildcardSelector

    found: list[str | None] = []
    for segment in compile_path(path).segments:
        (selector,) = segment.selectors
        is_name = isinstance(selector, NameSelector)
        if not isinstance(segment, JSONPathChildSegment) or not (is_name or isinstance(selector, WildcardSelector)):
            raise ValueError('names and [*] only, as "$.events[*]"')
        found.append(selector.name if isinstance(selector, NameSelector) else None)
    return tuple(found)


@lru_cache(maxsize=1)
def _environment() -> JSONPathEnvironment:
    from jsonpath import JSONPathEnvironment

    return JSONPathEnvironment(strict=True, filter_caching=False)


def _check(query: JSONPath) -> None:
    from jsonpath.segments import JSONPathRecursiveDescentSegment
    from jsonpath.selectors import Filter

    if any(len(segment.selectors) != 1 for segment in query.segments):
        raise ValueError("one selector in each bracket")
    if sum(isinstance(segment, JSONPathRecursiveDescentSegment) for segment in query.segments) > 1:
        raise ValueError(".. can stand in a path only once")
    for segment in query.segments:
        for selector in segment.selectors:
            if isinstance(selector, Filter):
                _check_filter(selector.expression)


def _check_filter(expression: BaseExpression) -> None:
    from jsonpath.filter import FilterQuery, FunctionExtension

    parts = list(_below(expression))
    if any(isinstance(part, FunctionExtension) for part in parts):
        raise ValueError("a filter compares values, it calls no functions")
    if not all(_is_singular(part.path) for part in parts if isinstance(part, FilterQuery)):
        raise ValueError("inside a filter a path has names and numbers only")


def _is_singular(query: JSONPath) -> bool:
    from jsonpath.segments import JSONPathChildSegment
    from jsonpath.selectors import IndexSelector, NameSelector

    return all(
        isinstance(segment, JSONPathChildSegment)
        and len(segment.selectors) == 1
        and isinstance(segment.selectors[0], NameSelector | IndexSelector)
        for segment in query.segments
    )


def _below(expression: BaseExpression) -> Iterator[BaseExpression]:
    yield expression
    for child in expression.children():
        yield from _below(child)
