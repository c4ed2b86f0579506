"""Where reading stands: days that were listed, and what each recent complaint looked like when it was last read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any

from allears_sdk.codec import encode_stable
from allears_sdk.connector import Cursor
from allears_sdk.signing import sha256_hex

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
SPAN = timedelta(days=30)
"""The longest span of one listing; both days count."""
OVERLAP = timedelta(days=1)
_FINISHED = "PROCESSED"
GONE = f"{_FINISHED}:gone"
UNREAD = "UNREAD:"
"""Marks of a complaint that WeChat Pay does not hand over, for good or for now."""
_TELLING = (
    "complaint_state",
    "complaint_detail",
    "complaint_full_refunded",
    "incoming_user_response",
    "problem_description",
    "problem_type",
    "user_complaint_times",
    "apply_refund_amount",
    "in_platform_service",
    "need_immediate_service",
)
"""What a listing and a complaint's own page both say, and what moves when something happens."""


@dataclass(kw_only=True)
class Place:
    """`marks`: complaints of the last 30 days and those still open → their state and a hash of what they said."""

    since: date
    """Nothing older is listed."""
    until: date
    """Listed whole up to here; this day itself may still grow."""
    rechecked_at: datetime | None = None
    marks: dict[str, str] = field(default_factory=dict)

    def cursor(self) -> Cursor:
        rechecked = self.rechecked_at.isoformat() if self.rechecked_at else ""
        return {
            "version": 1,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "rechecked_at": rechecked,
            "marks": dict(self.marks),
        }

    @property
    def open(self) -> list[str]:
        return [complaint for complaint, mark in self.marks.items() if not mark.startswith(_FINISHED)]

    def forget_finished(self, listed: set[str]) -> None:
        """After a listing of the last 30 days: what is older and finished."""
        still = {*listed, *self.open}
        self.marks = {complaint: mark for complaint, mark in self.marks.items() if complaint in still}


def load(cursor: Cursor | None, now: datetime, look_back: timedelta | None) -> Place:
    if cursor is None:
        first = day_of(now - (look_back or SPAN))
        return Place(since=first, until=first)
    rechecked = str(cursor.get("rechecked_at") or "")
    return Place(
        since=date.fromisoformat(cursor["since"]),
        until=date.fromisoformat(cursor["until"]),
        rechecked_at=datetime.fromisoformat(rechecked) if rechecked else None,
        marks={str(complaint): str(mark) for complaint, mark in cursor["marks"].items()},
    )


def day_of(moment: datetime) -> date:
    """WeChat Pay's days are Beijing's."""
    return moment.astimezone(BEIJING).date()


def windows(begin: date, end: date) -> Iterator[tuple[date, date]]:
    """Closed spans of days, oldest first."""
    while begin <= end:
        last = min(begin + SPAN - timedelta(days=1), end)
        yield begin, last
        begin = last + timedelta(days=1)


def mark_of(complaint: Mapping[str, Any]) -> str:
    """Differs when something has happened to the complaint."""
    telling = [complaint.get(name) for name in _TELLING]
    return f"{complaint.get('complaint_state')}:{sha256_hex(encode_stable(telling))[:12]}"
