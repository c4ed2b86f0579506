"""Rows of `pdd.refund.list.increment.get`, as raws."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from allears_sdk.errors import Unavailable
from allears_sdk.numbers import id_of
from allears_sdk.spans import Rows
from allears_sdk.sweep import Listed, digest_of, raw_of, unreadable
from connectors._marketplace.times import moment

PREFIX = "after-sales:"
_TELLING = ("order_sn", "after_sales_status", "after_sales_type", "after_sale_reason", "refund_amount")


def read_rows(answer: Mapping[str, Any], now: datetime) -> Rows:
    """Raises Unavailable for what is no list."""
    rows, total = answer.get("refund_list") or [], answer.get("total_count")
    if not isinstance(rows, list) or not isinstance(total, int) or total < len(rows):
        raise Unavailable("Pinduoduo's list of after-sales cases is not what it documents")
    return Rows(items=[_listed(row, now) for row in rows], total=total)


def _listed(row: Any, now: datetime) -> Listed:
    known = row if isinstance(row, dict) else {}
    case = id_of(known.get("id"))
    if not case:
        return unreadable(row, now, "an after-sales case without its number")
    matters = digest_of(*(str(known.get(name)) for name in _TELLING))
    return Listed(raws=(raw_of(f"{PREFIX}{case}", row, now, matters),), at=moment(known.get("updated_time")))
