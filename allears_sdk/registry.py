"""Which connectors and sinks are installed: entry points `allears.connectors` and `allears.sinks`.

Each is loaded when it is configured. One that does not fit or fails to import disables its own kind, with the
reason; two of one kind are an error that names both.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from allears_sdk.connector import SDK_MAJOR, Connector
from allears_sdk.errors import ConfigError
from allears_sdk.settings import nearest
from allears_sdk.sink import Sink

CONNECTORS = "allears.connectors"
SINKS = "allears.sinks"


def kinds(group: str) -> list[str]:
    """Names of all installed kinds of a group, sorted."""
    return sorted(_by_kind(group))


def connector_class(kind: str) -> type[Connector[Any]]:
    """Raises ConfigError saying what is wrong and what to do."""
    loaded: type[Connector[Any]] = _load(CONNECTORS, kind, Connector)
    return loaded


def sink_class(kind: str) -> type[Sink[Any]]:
    """Raises ConfigError saying what is wrong and what to do."""
    loaded: type[Sink[Any]] = _load(SINKS, kind, Sink)
    return loaded


def _load(group: str, kind: str, base: type[Any]) -> Any:
    found = _by_kind(group).get(kind, ())
    if not found:
        raise ConfigError(f'no {base.__name__.lower()} "{kind}" is installed{nearest(kind, kinds(group))}')
    if len(found) > 1:
        where = " and ".join(f"{entry.value} ({_package(entry)})" for entry in found)
        raise ConfigError(f'two {base.__name__.lower()}s call themselves "{kind}": {where}; uninstall one')
    return _check(found[0], kind, base)


def _check(entry: EntryPoint, kind: str, base: type[Any]) -> Any:
    try:
        loaded = entry.load()
    except Exception as error:  # a broken plug-in disables its own kind, nothing else
        raise ConfigError(f'"{kind}" ({entry.value}) does not import: {error}') from error
    if not (isinstance(loaded, type) and issubclass(loaded, base)):
        raise ConfigError(f'"{kind}" ({entry.value}) is not a {base.__name__}')
    spec = _spec(loaded)
    if spec.sdk != SDK_MAJOR:
        raise ConfigError(f'"{kind}" ({entry.value}) was built for SDK {spec.sdk}; this is {SDK_MAJOR}')
    if spec.kind != kind:
        raise ConfigError(f'"{kind}" ({entry.value}) calls itself "{spec.kind}" in its spec')
    return loaded


def _spec(loaded: Any) -> Any:
    """A component's spec; an abstract class without one is a ConfigError."""
    try:
        return loaded.spec
    except AttributeError:
        raise ConfigError(f"{loaded.__qualname__} has no spec") from None


@cache
def _by_kind(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for entry in entry_points(group=group):
        if entry not in found.get(entry.name, ()):
            found[entry.name] = (*found.get(entry.name, ()), entry)
    return found


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "unknown package"
