"""What is known of a customer beside the words, put into a record: the same as deriving with these facts."""

from __future__ import annotations

from dataclasses import replace

from allears_sdk.complaint import Complaint, Provenance

RAISED = "P2"
THIRD_CONTACT = 2
"""So many earlier complaints that are still open: this is the third at least."""
_LOWER = ("P3", "P4")
_BY_CUSTOMER = "customer:"


def raised(record: Complaint, reason: str) -> Complaint:
    """P2 at least, where it is a complaint: this customer matters, or has waited long enough."""
    if record.nature != "complaint" or record.priority not in _LOWER:
        return record
    source = Provenance(source=f"{_BY_CUSTOMER}{reason}", score=0.9)
    return replace(record, priority=RAISED, provenance={**record.provenance, "priority": source})


def was_raised(record: Complaint) -> str:
    """The reason why it is more urgent than its words, "" where it is not."""
    source = record.provenance.get("priority")
    return source.source.removeprefix(_BY_CUSTOMER) if source and source.source.startswith(_BY_CUSTOMER) else ""
