"""What a vendor tells of a quota in the headers of its answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

MAX_HEADER = 16_384
MAX_NUMBER = 1e15
MAX_SECONDS = 366 * 86_400.0
PREFIXES = ("x-ratelimit-", "x-rate-limit-", "ratelimit-")
"""Before `remaining`, `limit` and `reset`; the last are those of draft-ietf-httpapi-ratelimit-headers."""
PERCENT = "percent"
META_USAGE = ("x-app-usage", "x-page-usage", "x-business-use-case-usage")
_SHARES = ("call_count", "total_time", "total_cputime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How much of something is left to an account, as it was told."""

    name: str
    """What it is of: `calls`, `units`, `percent`."""
    left: float
    most: float | None = None
    resets_at: datetime | None = None
    """From then on it is whole again; None where nobody tells, or it comes back bit by bit."""
    told_at: datetime


def quotas_of(headers: Mapping[str, str], now: datetime) -> list[Quota]:
    """From the headers (lower-case names) of any vendor; what makes no sense is passed over."""
    found = [_plain(headers, prefix, now) for prefix in PREFIXES]
    found += [_apple(headers.get("x-rate-limit", ""), now), _meta(headers, now)]
    return [quota for quota in found if quota is not None]


def used_percent(headers: Mapping[str, str]) -> float | None:
    """The fullest of Meta's limits ("Graph API: Rate Limiting"); None where no header tells of one."""
    shares = [share for usage in usages_of(headers) for share in _shares(usage)]
    return max(shares, default=None)


def usages_of(headers: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """What Meta tells of an app or a Page in one object, of a business's accounts in lists of them."""
    return [usage for name in META_USAGE for usage in _usages(headers.get(name, ""))]


def _plain(headers: Mapping[str, str], prefix: str, now: datetime) -> Quota | None:
    left = _number(headers.get(f"{prefix}remaining", ""))
    if left is None:
        return None
    seconds = until_reset(headers.get(f"{prefix}reset", ""), now)
    if seconds is not None and not 0 <= seconds <= MAX_SECONDS:
        seconds = None
    return Quota(
        name="calls",
        left=left,
        most=_number(headers.get(f"{prefix}limit", "")),
        resets_at=None if seconds is None else now + timedelta(seconds=seconds),
        told_at=now,
    )


def _apple(value: str, now: datetime) -> Quota | None:
    """`user-hour-lim:3500;user-hour-rem:500;` ("App Store Connect API: Identifying rate limits")."""
    if len(value) > MAX_HEADER or ":" not in value:
        return None
    parts = dict(part.strip().split(":", 1) for part in value.split(";") if ":" in part)
    left = _number(parts.get("user-hour-rem", ""))
    most = _number(parts.get("user-hour-lim", ""))
    return None if left is None else Quota(name="calls", left=left, most=most, told_at=now)


def _meta(headers: Mapping[str, str], now: datetime) -> Quota | None:
    used = used_percent(headers)
    return None if used is None else Quota(name=PERCENT, left=max(0.0, 100.0 - used), most=100.0, told_at=now)


def _shares(usage: Mapping[str, Any]) -> Iterator[float]:
    for name in _SHARES:
        share = usage.get(name)
        if isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share < MAX_NUMBER:
            yield float(share)


def _usages(value: str) -> Iterator[Mapping[str, Any]]:
    try:
        told = json.loads(value) if 0 < len(value) <= MAX_HEADER else None
    except (ValueError, RecursionError):
        return
    if not isinstance(told, dict):
        return
    yield told
    for each in told.values():
        yield from (one for one in each if isinstance(one, dict)) if isinstance(each, list) else ()


def _number(value: str) -> float | None:
    """Of `100`, `598.0` and `100, 100;w=60`."""
    return number_of(value.partition(",")[0].partition(";")[0])


def number_of(value: str) -> float | None:
    """A header's plain number, not negative; None for anything else."""
    value = value.strip()
    is_number = value.isascii() and value.replace(".", "", 1).isdigit()
    return float(value) if is_number and len(value) < 20 else None


def until_reset(value: str, now: datetime) -> float | None:
    """Seconds, by a header that holds them, or the moment as Unix time (seconds or milliseconds) or ISO time."""
    number = number_of(value)
    if number is None:
        return _until(value, now)
    if number < 1e9:
        return number
    return (number / 1000 if number > 1e11 else number) - now.timestamp()


def _until(value: str, now: datetime) -> float | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
