"""What an admin's own rules decide goes before what the packaged ones weigh and before any model."""

from __future__ import annotations

from collections.abc import Mapping

from allears_sdk.complaint import PRIORITIES, Provenance
from normalizer.fields.signals import Sign, Signals, total
from normalizer.rules import Rules

_CERTAIN = 1.0
_URGENCY = PRIORITIES.index
_CATEGORISED = frozenset({"complaint", "suggestion"})
_WANTING = frozenset({"complaint", "request"})

Decided = Mapping[str, Mapping[str, list[Sign]]]
"""By field, then by value: the signs of rules that decide."""


def decided(signals: Signals, rules: Rules) -> Decided:
    found: dict[str, dict[str, list[Sign]]] = {}
    if rules.decides:
        for (field, value), signs in signals.signs.items():
            own = [sign for sign in signs if sign.rule.decides]
            if own:
                found.setdefault(field, {})[value] = own
    return found


def own_nature(signals: Signals, own: Decided) -> tuple[str, Provenance] | None:
    return _heaviest(signals, own.get("nature"))


def own_category(signals: Signals, own: Decided, nature: str) -> tuple[str, Provenance] | None:
    return _heaviest(signals, own.get("category")) if nature in _CATEGORISED else None


def own_priority(
    signals: Signals, own: Decided, nature: str, found: tuple[str, Provenance | None]
) -> tuple[str, Provenance | None]:
    """The most urgent that own rules name; a category's `priority` is the least it has."""
    if nature not in _CATEGORISED:
        return found
    stated = own.get("priority", {})
    least: dict[str, list[Sign]] = {}
    for signs in own.get("category", {}).values():
        for sign in signs:
            if sign.rule.priority:
                least.setdefault(sign.rule.priority, []).append(sign)
    level = min((*stated, *least), key=_URGENCY, default="")
    if not level or (not stated and found[0] and _URGENCY(found[0]) <= _URGENCY(level)):
        return found
    return level, signals.provenance([*stated.get(level, ()), *least.get(level, ())], _CERTAIN)


def own_expectation(
    signals: Signals, own: Decided, nature: str, found: tuple[tuple[str, ...], Provenance]
) -> tuple[tuple[str, ...], Provenance]:
    """What own rules hear is asked for beside the rest; their `none` silences it."""
    stated = own.get("expectation")
    if not stated or nature not in _WANTING:
        return found
    named = [value for value in stated if value != "none"]
    kept = [] if "none" in stated else [value for value in found[0] if value != "none"]
    signs = [sign for value in named or stated for sign in stated[value]]
    return tuple(sorted({*named, *kept})) or ("none",), signals.provenance(signs, _CERTAIN)


def _heaviest(signals: Signals, own: Mapping[str, list[Sign]] | None) -> tuple[str, Provenance] | None:
    """Among equals the one said first."""
    if not own:
        return None
    value = max(own, key=lambda value: (round(total(own[value]), 3), -own[value][0].start))
    return value, signals.provenance(own[value], _CERTAIN)
