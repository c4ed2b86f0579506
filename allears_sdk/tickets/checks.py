"""What settings say of a store's fields, held against what the store has: for `check`."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from allears_sdk.errors import ConfigError
from allears_sdk.settings import nearest
from allears_sdk.tickets.settings import MappingSettings, StoreValue


def check_fields(settings: MappingSettings, known: Collection[str]) -> None:
    """Raises ConfigError for a field, mapped or constant, that the store does not have or that cannot be written: some
    drop it and say 201."""
    targets = [(f'fields.{fact} = "{target}"', target) for fact, target in settings.fields.items()]
    for said, target in [*targets, *((f"constants.{name}", name) for name in settings.constants)]:
        if target not in known:
            raise ConfigError(f"{said}: the store has no such field{nearest(target, sorted(known))}")


def check_values(settings: MappingSettings, fact: str, known: Collection[StoreValue], mapped: StoreValue) -> None:
    """Raises ConfigError for a value (one that `fact` is mapped to) that the store does not know."""
    if mapped not in known:
        there = ", ".join(str(value) for value in known)
        raise ConfigError(f'values.{fact}: the store knows no "{mapped}"; it has: {there}')


def check_choices(
    settings: MappingSettings,
    priorities: Mapping[str, StoreValue],
    priority_field: str,
    choices: Mapping[str, Collection[StoreValue]],
) -> None:
    """Raises ConfigError for a value in settings that the field it goes to does not offer. `choices`: of each field
    that offers some; `priorities`: what the settings go before, {} to leave the store's usual words unchecked."""
    targets = {"priority": priority_field, **settings.fields}
    mapped = {**settings.values, "priority": {**priorities, **settings.values.get("priority", {})}}
    for fact, values in mapped.items():
        known = choices.get(targets.get(fact, ""), ())
        for value in values.values() if known else ():
            check_values(settings, fact, known, value)
