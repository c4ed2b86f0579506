"""Mapped values as the Table API reads them ("Table API FAQs": times in UTC, no zone), and texts for journals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from allears_sdk.errors import Rejected

_MATRIX: Mapping[str, tuple[str, str]] = {
    "1": ("1", "1"),
    "2": ("1", "2"),
    "3": ("2", "2"),
    "4": ("3", "2"),
    "5": ("3", "3"),
}
"""Impact and urgency from which a new instance computes that priority."""
_PAIR = re.compile(r"([1-9])/([1-9])")
_CODE = re.compile(r"(?i)\[(/?code\])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def shape(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return ",".join(str(one) for one in value) if isinstance(value, tuple) else str(value)


def impact_and_urgency(value: str) -> tuple[str, str]:
    """`value` is the priority that is to come out, or "impact/urgency". Raises Rejected."""
    if pair := _PAIR.fullmatch(value):
        return pair[1], pair[2]
    if value not in _MATRIX:
        raise Rejected(f'values.priority: "{value}" is neither 1 to 5 nor impact/urgency, as "2/3"')
    return _MATRIX[value]


def clean(text: str) -> str:
    return _CONTROL.sub("", text)


def as_note(text: str) -> str:
    """Between [code] and [/code] a journal shows HTML: a customer's words do not get there."""
    return _CODE.sub("[\u200b\\1", clean(text))
