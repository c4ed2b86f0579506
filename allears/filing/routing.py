"""Which destinations a complaint goes to, who handles it, and whether its customer is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from allears.filing.conditions import KEYWORD, Condition, Seen, condition, words_of
from allears.journal.records import Destination, Responder, Route, Router
from allears.settings.routes import RouteSettings, RouteTarget, RoutingSection
from allears_sdk.complaint import Complaint

DEFAULT = "default"


def to_all(destinations: Sequence[Destination]) -> Router:
    """Every complaint goes to every one of these."""
    route = Route(destinations=tuple(destinations))

    def router(complaint: Complaint) -> Route:
        return route

    return router


def answering(router: Router, responders: Mapping[str, Responder]) -> Router:
    """`router`, and the answers of the channels that acknowledge."""
    if not responders:
        return router

    def routed(complaint: Complaint) -> Route:
        route, responder = router(complaint), responders.get(complaint.channel)
        return route if responder is None else replace(route, responder=responder)

    return routed


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a complaint says to one condition."""

    field: str
    wanted: tuple[str, ...]
    found: tuple[str, ...]
    met: tuple[str, ...]
    """Those of the wanted words that match; empty: the condition does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Why one route matches, or does not."""

    name: str
    matches: bool
    applies: bool
    """False also for one that matches where an earlier one has decided."""
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadowed:
    """A route that can never decide, and the earlier one that is always before it."""

    name: str
    by: str


class Routing:
    """The routes of a configuration, ready for use."""

    def __init__(
        self,
        section: RoutingSection,
        routes: Sequence[RouteSettings],
        known: Mapping[str, Destination],
        usual: Sequence[Destination],
    ) -> None:
        """`known`: every destination a route may name; `usual`: those of a route that names none."""
        self.match = section.match
        self.default = section.default or RouteTarget()
        self._routes = tuple(routes)
        self._known = known
        self._usual = tuple(usual)
        self._conditions = tuple(_conditions(route) for route in routes)
        self._words = words_of([one for conditions in self._conditions for one in conditions])
        self._route = lru_cache(1024)(self._build)

    @property
    def usual(self) -> list[str]:
        """Names of the destinations of a route that names none."""
        return [one.name for one in self._usual]

    def __call__(self, record: Complaint) -> Route:
        return self._route(self._matching(record))

    def explain(self, record: Complaint) -> tuple[Route, list[Verdict]]:
        """The decision, and every route's part in it."""
        applying, seen = self._matching(record), Seen(record, self._words)
        verdicts = []
        for at, route in enumerate(self._routes):
            answers = tuple(_answer(one, seen) for one in self._conditions[at])
            matches = all(one.met for one in answers)
            verdicts.append(Verdict(name=route.name, matches=matches, applies=at in applying, answers=answers))
        return self._route(applying), verdicts

    def shadowed(self) -> list[Shadowed]:
        """Where the first match decides: routes that an earlier one, asking for less, always comes before."""
        if self.match == "all":
            return []
        found = []
        for at, conditions in enumerate(self._conditions):
            by = next((n for n in range(at) if _always_before(self._conditions[n], conditions)), None)
            if by is not None:
                found.append(Shadowed(name=self._routes[at].name, by=self._routes[by].name))
        return found

    def _matching(self, record: Complaint) -> tuple[int, ...]:
        seen = Seen(record, self._words)
        places = range(len(self._routes))
        found = (at for at in places if all(one.holds(seen) for one in self._conditions[at]))
        if self.match == "all":
            return tuple(found)
        first = next(found, None)
        return () if first is None else (first,)

    def _build(self, places: tuple[int, ...]) -> Route:
        named: list[tuple[str, RouteTarget]] = [(self._routes[at].name, self._routes[at]) for at in places]
        named = named or [(DEFAULT, self.default)]
        wanted = dict.fromkeys(name for _, target in named for name in target.destinations)
        team, team_by = next(((one.team, name) for name, one in named if one.team), ("", ""))
        assignee, assignee_by = next(((one.assignee, name) for name, one in named if one.assignee), ("", ""))
        return Route(
            destinations=tuple(self._known[name] for name in wanted if name in self._known) or self._usual,
            team=team,
            assignee=assignee,
            cc=tuple(dict.fromkeys(who for _, one in named for who in one.cc)),
            tags=tuple(dict.fromkeys(tag for _, one in named for tag in one.tags)),
            routes=tuple(name for name, _ in named),
            team_by=team_by,
            assignee_by=assignee_by,
        )


def _conditions(route: RouteSettings) -> tuple[Condition, ...]:
    """The dear one, which reads the text, last."""
    made = [condition(field, wanted) for field, wanted in route.conditions.items()]
    return tuple(sorted(made, key=lambda one: one.field == KEYWORD))


def _answer(one: Condition, seen: Seen) -> Answer:
    met = one.met(seen)
    found = met if one.field == KEYWORD else tuple(value for value in seen.said(one.field) if value)
    return Answer(field=one.field, wanted=one.wanted, found=found, met=met)


def _always_before(earlier: Sequence[Condition], later: Sequence[Condition]) -> bool:
    """Whether each condition of the earlier one is implied by one of the later one."""
    asked = {one.field: one for one in later}
    return all(one.field in asked and one.covers(asked[one.field]) for one in earlier)
