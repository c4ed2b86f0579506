"""What is known of a customer beside the words, weighed: the same facts in a record, the same urgency."""

from __future__ import annotations

from dataclasses import replace

from allears_sdk.complaint import Complaint, Provenance

RAISED = "P2"
THIRD_CONTACT = 2
"""So many earlier complaints that are still open: this is the third at least."""
LEVEL = "customer.level"
_LOWER = ("P3", "P4")
_MATTERS = ":vip"
_CERTAIN = 1.0
"""What rules are only when an admin wrote them."""


def level_source(source: str, *, matters: bool) -> Provenance:
    """Who says so, and whether this level makes complaints urgent: kept with the record."""
    return Provenance(source=f"{source}{_MATTERS}" if matters else source)


def weighed(record: Complaint) -> Complaint:
    """P2 at least, where it is a complaint of a customer who matters, or who has waited long enough."""
    if record.nature != "complaint" or record.priority not in _LOWER or _is_decided(record):
        return record
    level = record.provenance.get(LEVEL)
    if level is not None and level.source.endswith(_MATTERS):
        return _raised(record, "level")
    return _raised(record, "earlier_contacts") if record.customer.earlier_contacts >= THIRD_CONTACT else record


def _is_decided(record: Complaint) -> bool:
    """By an admin's own rule or a person: they know what they do."""
    why = record.provenance.get("priority")
    return why is not None and (why.source == "admin" or (why.source.startswith("rule:") and why.score >= _CERTAIN))


def _raised(record: Complaint, reason: str) -> Complaint:
    source = Provenance(source=f"customer:{reason}", score=0.9)
    return replace(record, priority=RAISED, provenance={**record.provenance, "priority": source})
