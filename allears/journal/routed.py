"""Routing decided at the opening and kept: what later matches add, and what they never change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from allears.journal.records import Route
from allears_sdk.complaint import Complaint, Provenance

_FOLLOWS = "withdrawn"
"""A tag that is derived anew each time; all others were put on by routes."""


def routed(record: Complaint, previous: Complaint | None, route: Route) -> Complaint:
    """The record with who handles it. With a `previous` one team, assignee and handler are that one's; cc and tags only
    grow."""
    if previous is not None:
        return _kept(record, previous, route)
    handler = record.handler or route.assignee or route.team
    if not (handler or route.cc or route.tags):
        return record
    return replace(
        record,
        team=route.team,
        assignee=route.assignee,
        handler=handler,
        cc=_joined(record.cc, route.cc),
        tags=_joined(record.tags, route.tags),
        provenance={**record.provenance, **_sources(record, route)},
    )


def _kept(record: Complaint, previous: Complaint, route: Route) -> Complaint:
    own = [tag for tag in previous.tags if tag != _FOLLOWS]
    names = ("team", "assignee", "handler", "cc", "tags")
    kept = {name: previous.provenance[name] for name in names if name in previous.provenance}
    cc, tags = _joined(previous.cc, route.cc), _joined(record.tags, own, route.tags)
    added = {"cc": cc != previous.cc, "tags": not set(route.tags) <= set(previous.tags)}
    fresh = {name: _source(route.routes) for name, is_new in added.items() if is_new and name not in kept}
    return replace(
        record, team=previous.team, assignee=previous.assignee, handler=previous.handler, cc=cc, tags=tags,
        provenance={**record.provenance, **kept, **fresh},
    )  # fmt: skip


def _sources(record: Complaint, route: Route) -> dict[str, Provenance]:
    handled_by = "" if record.handler else route.assignee_by or route.team_by
    found = {"team": route.team_by, "assignee": route.assignee_by, "handler": handled_by}
    sources = {name: _source([by]) for name, by in found.items() if by}
    many = {"cc": route.cc, "tags": route.tags}
    return sources | {name: _source(route.routes) for name, words in many.items() if words}


def _source(routes: Iterable[str]) -> Provenance:
    return Provenance(source=f"route:{', '.join(routes)}")


def _joined(*parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for part in parts for word in part))
