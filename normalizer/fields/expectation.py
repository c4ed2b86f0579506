"""What the customer wants; only what is said."""

from __future__ import annotations

from allears_sdk.complaint import Provenance
from normalizer.fields.signals import Sign, Signals

_NARROW_BEATS_ACTION = 1.0


def expectation_of(signals: Signals, nature: str) -> tuple[tuple[str, ...], Provenance]:
    """Sorted; `("none",)` when nothing is asked. `action` stands only when said outright or alone."""
    found = dict(signals.of("expectation"))
    if nature not in ("complaint", "request") or not found:
        return _nothing(signals, nature)
    if "reship" in found and all(_within(sign, found["reship"]) for sign in found.get("exchange", ())):
        found.pop("exchange", None)
    narrow = sorted(value for value in found if value != "action")
    if "action" in found and (not narrow or _is_own(found["action"])):
        narrow.append("action")
    signs = [sign for value in narrow for sign in found[value]]
    return tuple(sorted(narrow)), signals.provenance(signs, 0.8)


def _within(sign: Sign, others: list[Sign]) -> bool:
    """A replacement for what was lost on its way is not exchanged but sent once more."""
    return any(other.start <= sign.start and sign.end <= other.end for other in others)


def _is_own(signs: list[Sign]) -> bool:
    return any(sign.rule.weight > _NARROW_BEATS_ACTION for sign in signs)


def _nothing(signals: Signals, nature: str) -> tuple[tuple[str, ...], Provenance]:
    if nature == "request":
        signs = signals.signs.get(("nature", "request"))
        return ("action",), signals.provenance(signs, 0.6) if signs else Provenance(source="default", score=0.5)
    return ("none",), Provenance(source="default", score=0.6)
