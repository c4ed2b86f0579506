"""What is known of a customer makes a complaint urgent, by what the record itself says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from allears_sdk.complaint import Complaint, Customer, Provenance
from normalizer.standing import LEVEL, THIRD_CONTACT, level_source, weighed


def record(matters: bool = False, earlier: int = 0, **facts: Any) -> Complaint:
    given: dict[str, Any] = {"nature": "complaint", "priority": "P3", **facts}
    return Complaint(
        id="ALE-7K3M-Q9TX-4RWD", title="屏幕碎了", received_at=datetime(2026, 3, 1, tzinfo=UTC),
        customer=Customer(level="钻石", earlier_contacts=earlier),
        provenance={LEVEL: level_source("customers", matters=matters)}, **given,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "priority", "source"),
    [
        (record(), "P3", ""),
        (record(matters=True), "P2", "customer:level"),
        (record(matters=True, priority="P4"), "P2", "customer:level"),
        (record(earlier=THIRD_CONTACT), "P2", "customer:earlier_contacts"),
        (record(earlier=THIRD_CONTACT - 1), "P3", ""),
        (record(matters=True, priority="P1"), "P1", ""),
        (record(matters=True, priority="P2"), "P2", ""),
        (record(matters=True, nature="question", priority=""), "", ""),
        (record(matters=True, nature="suggestion", priority="P4"), "P4", ""),
    ],
)
def test_p2_at_least_where_it_is_a_complaint(given: Complaint, priority: str, source: str) -> None:
    found = weighed(given)
    assert found.priority == priority
    why = found.provenance.get("priority")
    assert (why.source if why else "") == source
    assert weighed(found) == found
    assert weighed(replace(found, priority=given.priority)).priority == priority


@pytest.mark.parametrize(
    ("source", "score", "priority"),
    [("rule:zh.taste", 0.6, "P2"), ("rule:own.samples", 1.0, "P4"), ("admin", 1.0, "P4")],
)
def test_what_an_admin_has_decided_stands(source: str, score: float, priority: str) -> None:
    given = record(matters=True, priority="P4")
    why = Provenance(source=source, score=score)
    assert weighed(replace(given, provenance={**given.provenance, "priority": why})).priority == priority
