"""What settings say of a store's fields, held against what the store has."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from allears_sdk.errors import ConfigError
from allears_sdk.settings import nearest
from allears_sdk.tickets import StoreValue, TicketSettings, check_fields, check_values


def check_targets(settings: TicketSettings, constants: Mapping[str, StoreValue], writable: Collection[str]) -> None:
    """Raises ConfigError for a field, mapped or constant, that cannot be written."""
    check_fields(settings, writable)
    for name in constants:
        if name not in writable:
            raise ConfigError(f"constants.{name}: no field that can be written{nearest(name, sorted(writable))}")


def check_choices(
    settings: TicketSettings,
    priorities: Mapping[str, StoreValue],
    priority_field: str,
    choices: Mapping[str, Collection[str]],
) -> None:
    """Raises ConfigError for a value in settings that the field it goes to does not offer. `choices`: of each field
    that offers some."""
    targets = {"priority": priority_field, **settings.fields}
    mapped = {**settings.values, "priority": {**priorities, **settings.values.get("priority", {})}}
    for fact, values in mapped.items():
        known = choices.get(targets.get(fact, ""), ())
        for value in values.values() if known else ():
            check_values(settings, fact, known, value)
