"""Every kind of channel and ticket store with its settings, as schema, reference and example list them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Literal

from allears_sdk import registry
from allears_sdk.errors import ConfigError
from allears_sdk.settings import ChannelSettings, DestinationSettings, Settings
from allears_sdk.tickets.settings import MappingSettings, TextSettings, TicketSettings, ToldSettings

Family = Literal["channels", "destinations"]

WORDS = {"channels": "connector", "destinations": "sink"}
BASES: dict[str, type[Settings]] = {"channels": ChannelSettings, "destinations": DestinationSettings}
SHARED: dict[str, type[Settings]] = {
    "mapping": MappingSettings,
    "texts": TextSettings,
    "tickets": TicketSettings,
    "back-channels": ToldSettings,
}
"""What several kinds of destinations take besides: told once, by these names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One kind."""

    family: Family
    kind: str
    title_en: str
    title_zh: str
    model: type[Settings]
    verified: str
    verified_zh: str
    """The English one where the spec has none."""

    @property
    def word(self) -> str:
        return WORDS[self.family]

    @property
    def example_name(self) -> str:
        """The name it has in examples."""
        return getattr(self.model, "example_name", "") or self.kind.replace("_", "-")

    @property
    def own_fields(self) -> dict[str, Any]:
        """Fields that only this kind has."""
        known = {
            *BASES[self.family].model_fields,
            *(name for base in self.shared.values() for name in base.model_fields),
        }
        return {name: field for name, field in self.model.model_fields.items() if name not in known}

    @property
    def shared(self) -> dict[str, type[Settings]]:
        """What it takes as several others do."""
        return {name: base for name, base in SHARED.items() if issubclass(self.model, base)}

    @property
    def inherited(self) -> dict[str, Any]:
        """Fields that its bases have, as they say them."""
        bases = (BASES[self.family], *self.shared.values())
        return {name: field for base in bases for name, field in base.model_fields.items() if name != self.word}


def components(*, shipped: bool = False) -> list[Component]:
    """All that can be used here. With `shipped` only what comes with allears, and ConfigError if one does not load:
    generated files must not depend on what else is installed."""
    found = []
    groups: dict[Family, str] = {"channels": registry.CONNECTORS, "destinations": registry.SINKS}
    for family, group in groups.items():
        for kind in _shipped(group) if shipped else registry.kinds(group):
            try:
                found.append(component(family, kind))
            except ConfigError:
                if shipped:
                    raise
    return found


def component(family: Family, kind: str) -> Component:
    """Raises ConfigError saying what is wrong and what to do."""
    loaded: Any = registry.connector_class(kind) if family == "channels" else registry.sink_class(kind)
    return Component(
        family=family,
        kind=kind,
        title_en=loaded.spec.title_en,
        title_zh=loaded.spec.title_zh,
        model=loaded.Settings,
        verified=loaded.spec.verified,
        verified_zh=loaded.spec.verified_zh or loaded.spec.verified,
    )


def _shipped(group: str) -> list[str]:
    return sorted({entry.name for entry in entry_points(group=group) if entry.dist and entry.dist.name == "allears"})
