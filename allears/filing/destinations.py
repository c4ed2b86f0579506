"""The destinations of a configuration as routing needs to know them."""

from __future__ import annotations

from allears.filing.routing import Routing
from allears.journal.records import Destination
from allears.settings import Configuration
from allears_sdk import registry
from allears_sdk.errors import ConfigError


def routing_of(configuration: Configuration) -> Routing:
    """The file's routes, ready for use."""
    known = destinations_of(configuration)
    usual = [known[name] for name in _usual(configuration)]
    return Routing(configuration.routing, configuration.routes, known, usual)


def destinations_of(configuration: Configuration) -> dict[str, Destination]:
    """All by name: one that is switched off, or whose kind does not load now, gets its lines, and they wait for it."""
    known = {name: _destination(name, settings.sink) for name, settings in configuration.destinations.items()}
    return known | {name: Destination(name=name) for name in _lost(configuration)}


def _usual(configuration: Configuration) -> list[str]:
    """Where a complaint goes whose route names none."""
    wanted = configuration.routing.destinations
    lost = [name for name in _lost(configuration) if not wanted or name in wanted]
    return [*configuration.default_destinations, *lost]


def _lost(configuration: Configuration) -> list[str]:
    return [one.name for one in configuration.disabled if one.section == "destinations"]


def _destination(name: str, kind: str) -> Destination:
    try:
        return Destination(name=name, is_view=registry.sink_class(kind).spec.is_view)
    except ConfigError:
        return Destination(name=name)
