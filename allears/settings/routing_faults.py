"""What is wrong with routes beyond what each model says by itself: names that nothing has, and gaps."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from allears.settings.faults import hint, say
from allears.settings.routes import RouteSettings, RouteTarget, RoutingSection
from allears_sdk.complaint import CATEGORIES, NATURES, PRIORITIES

Found = Iterator[tuple[tuple[str, ...], str]]
"""(path in the file, message)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the file names."""

    channels: Sequence[str]
    destinations: Sequence[str]


def routing_faults(
    routing: RoutingSection, routes: Sequence[tuple[int, RouteSettings]], named: Named, language: str
) -> Found:
    """`routes` with their place in the file."""
    yield from _unknown(("routing",), "destinations", routing.destinations, named.destinations, language)
    if routing.default is not None:
        yield from _target(("routing", "default"), routing.default, named, language)
    elif routes:
        yield ("routing", "default"), say(language, "no_default")
    seen: set[str] = set()
    for at, route in routes:
        if route.name in seen:
            yield ("routes", str(at), "name"), say(language, "same_name", name=route.name)
        seen.add(route.name)
        yield from _route(("routes", str(at)), route, named, language)


def _route(place: tuple[str, ...], route: RouteSettings, named: Named, language: str) -> Found:
    known = {"category": _categories(), "nature": NATURES, "priority": PRIORITIES, "channel": named.channels}
    for field, wanted in route.conditions.items():
        if any(not word.strip(" *") for word in wanted):
            yield (*place, field), say(language, "empty_word")
        elif field in known:
            yield from _unknown(place, field, wanted, known[field], language)
    yield from _target(place, route, named, language)


def _categories() -> list[str]:
    """With those that hold others."""
    return list(dict.fromkeys(one for name in CATEGORIES for one in (name.partition(".")[0], name)))


def _target(place: tuple[str, ...], target: RouteTarget, named: Named, language: str) -> Found:
    yield from _unknown(place, "destinations", target.destinations, named.destinations, language)


def _unknown(place: tuple[str, ...], field: str, words: Collection[str], known: Sequence[str], language: str) -> Found:
    for word in words:
        if word not in known:
            key = "unknown_name" if field == "destinations" else f"unknown_{field}"
            yield (*place, field), say(language, key, name=word, hint=hint(word, known, language))
