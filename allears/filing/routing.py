"""Which destinations a complaint goes to, and whether its customer is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from allears.journal.records import Destination, Responder, Route, Router
from allears_sdk.complaint import Complaint


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
