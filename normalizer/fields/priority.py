"""How urgent: impact × urgency. A suggestion is P4; what neither complains nor suggests has none."""

from __future__ import annotations

from allears_sdk.complaint import PRIORITIES, Provenance
from normalizer.conversation import Facts
from normalizer.fields.signals import Sign, Signals

_BY_CATEGORY = {
    "technical.privacy": "P1",
    "logistics.loss": "P2",
    "billing.payment": "P2",
    "technical.account": "P2",
    "technical.outage": "P2",
}
_NEVER_SLIGHT = ("logistics", "service", "technical", "billing.payment", "product.not_as_described")
"""Lateness, conduct, money and the wrong goods are no trifles, though a word of moderation (有点, a bit) stands by."""
_VIP = ("vip", "platinum", "diamond", "black", "黑钻", "钻石", "白金", "至尊", "svip")
_THIRD_CONTACT = 2


def priority_of(signals: Signals, nature: str, category: str, facts: Facts) -> tuple[str, Provenance | None]:
    if nature == "suggestion":
        return "P4", Provenance(source="default")
    if nature != "complaint":
        return "", None
    signs = [sign for _, found in signals.of("priority") for sign in found]
    boosts = [sign for _, found in signals.of("category") for sign in found if sign.rule.priority]
    for level in PRIORITIES[:2]:
        found = [sign for sign in signs if sign.rule.value == level]
        found += [sign for sign in boosts if sign.rule.priority == level]
        if found:
            return level, signals.provenance(found, 0.8)
        if level == "P2" and _is_known_to_matter(facts):
            return level, Provenance(source="channel", score=0.9)
    return _ordinary(signals, signs, category)


def is_certain(level: str, why: Provenance) -> bool:
    """Words of danger and what is known of the customer are no matter of opinion."""
    return why.source == "channel" or level == "P1"


def _is_known_to_matter(facts: Facts) -> bool:
    level = facts.customer_level.casefold()
    return facts.earlier_contacts >= _THIRD_CONTACT or any(name in level for name in _VIP)


def _ordinary(signals: Signals, signs: list[Sign], category: str) -> tuple[str, Provenance]:
    stated = _BY_CATEGORY.get(category)
    slight = [sign for sign in signs if sign.rule.value == "P4" and not category.startswith(_NEVER_SLIGHT)]
    if stated and not slight:
        return stated, Provenance(source=f"category:{category}", score=0.7)
    if slight:
        return "P4", signals.provenance(slight, 0.6)
    return "P3", Provenance(source="default", score=0.6)
