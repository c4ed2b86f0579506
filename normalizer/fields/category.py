"""What is wrong, at two levels; empty unless the conversation complains or suggests."""

from __future__ import annotations

from allears_sdk.complaint import Provenance
from normalizer.fields.signals import Sign, Signals, total

_SERIOUS = (
    "technical.privacy",
    "logistics.loss",
    "product.function_failure",
    "billing.payment",
    "product.material_defect",
    "product.not_as_described",
)

OF_SUGGESTIONS = ("product.design", "service.process", "service.self_service", "billing.", "policy.", "other")
"""Nothing is broken or late for who only has an idea."""


def category_of(signals: Signals, nature: str) -> tuple[str, Provenance | None]:
    """The main grievance: the heaviest; among equals the more serious, then the first said."""
    if nature not in ("complaint", "suggestion"):
        return "", None
    found = dict(signals.of("category"))
    if nature == "suggestion":
        found = {value: signs for value, signs in found.items() if value.startswith(OF_SUGGESTIONS)}
    if not found:
        default = "product.design" if nature == "suggestion" else "other"
        return default, Provenance(source="default", score=0.2)
    best = max(found, key=lambda value: _rank(value, found[value]))
    everything = total([sign for signs in found.values() for sign in signs])
    return best, signals.provenance(found[best], min(0.95, 0.3 + 0.65 * total(found[best]) / everything))


def _rank(value: str, signs: list[Sign]) -> tuple[float, int, int]:
    seriousness = len(_SERIOUS) - _SERIOUS.index(value) if value in _SERIOUS else 0
    return round(total(signs), 3), seriousness, -signs[0].start
