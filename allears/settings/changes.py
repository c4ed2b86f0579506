"""What a reload has to touch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from allears.settings.sections import SECTIONS, Configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Names that came, went, or have other settings now. Only enabled components count."""

    added: frozenset[str]
    removed: frozenset[str]
    changed: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def __str__(self) -> str:
        """As a log line tells it: `added a, b; changed c`."""
        parts = {"added": self.added, "removed": self.removed, "changed": self.changed}
        return "; ".join(f"{word} {', '.join(sorted(names))}" for word, names in parts.items() if names) or "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    channels: Difference
    destinations: Difference
    sections: frozenset[str]
    """Names of the other sections that differ (`allears`, `public`, `routing`, `routes`, …)."""

    def __bool__(self) -> bool:
        return bool(self.channels or self.destinations or self.sections)


def changed(old: Configuration, new: Configuration) -> Changes:
    """The difference between two configurations; a changed secret is a change, and so is a file of rules."""
    parts = {**{name: name for name in SECTIONS}, "allears": "daemon", "routes": "routes"}
    sections = {name for name, part in parts.items() if getattr(old, part) != getattr(new, part)}
    return Changes(
        channels=_difference(old.enabled_channels, new.enabled_channels),
        destinations=_difference(old.enabled_destinations, new.enabled_destinations),
        sections=frozenset(sections | ({"rules"} if old.own_rules != new.own_rules else set())),
    )


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    return Difference(
        added=frozenset(new.keys() - old.keys()),
        removed=frozenset(old.keys() - new.keys()),
        changed=frozenset(name for name in old.keys() & new.keys() if old[name] != new[name]),
    )
