"""Which destinations a complaint goes to."""

from __future__ import annotations

from collections.abc import Sequence

from allears.journal.records import Destination, Route, Router
from allears_sdk.complaint import Complaint


def to_all(destinations: Sequence[Destination]) -> Router:
    """Every complaint goes to every one of these."""
    route = Route(destinations=tuple(destinations))

    def router(complaint: Complaint) -> Route:
        return route

    return router
