"""Where reading stands, and what of an order matters: plain values, no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from allears_sdk.codec import convert, encode, plain
from allears_sdk.connector import Cursor
from allears_sdk.message import Raw
from allears_sdk.sweep import digest_of

CANCELLED = "USER_CANCELD"
"""As the platform spells it."""
WATCHED_SECONDS = 60 * 86_400
"""So long after it was made an order in dispute is looked at."""
_REFUSED = ("MERCHANT_REJECT", "MERCHANT_OVERDUE", "PLATFORM_REFUND_FAIL")
"""Customers turn to the platform after these."""
_SETTLED = frozenset({"102", "112", "115", "116"})
"""Disputes that were given up, settled, paid, closed."""
_NEW = "MERCHANT_PROCESSING"
STATE = "state:"
"""Begins the keys of how an order goes on."""
_ASKED = ("type", "reason", "reason_text", "details", "order_id", "openid", "product_info", "refund_info")
_VOLATILE = frozenset({"deadline", "update_time", "virtual_tel_num_info", "refund_resp"})
"""Seconds that run down, numbers that are lent for a while."""
_STEP = ("item_type", "time", "content", "media_id_list", "phone_number")


@dataclass(kw_only=True)
class Place:
    """Times are Unix seconds."""

    version: int = 1
    since: int
    """All that changed before is stored."""
    end: int = 0
    """Of the span under way; 0: none is."""
    position: str = ""
    """The next page of it."""
    rechecked: int = 0
    watched: dict[str, int] = field(default_factory=dict)
    """Orders whose news the list may not tell → when they were made."""

    def cursor(self) -> Cursor:
        shown: Mapping[str, Any] = plain(self)
        return shown

    def advance(self, begin: int, end: int, position: str) -> None:
        """A page of the span is stored."""
        self.since, self.end, self.position = (begin, end, position) if position else (end, 0, "")

    def forget_old(self, now: int) -> None:
        self.watched = {order: made for order, made in self.watched.items() if now - made < WATCHED_SECONDS}


def load(cursor: Cursor) -> Place:
    return convert(dict(cursor), Place)


def raws_of(
    order: str, found: Mapping[str, Any], dispute: Mapping[str, Any] | None, title: str, at: datetime
) -> list[Raw]:
    """What the customer applies for, and apart from it how that goes on: where it goes on, no word of his has changed.
    `at`: now."""
    asked = [found.get(name) for name in _ASKED]
    product = {"product": title, "is_disputed": dispute is not None}
    raws = [_raw(order, digest_of(asked, dispute is not None), {"after_sale_order": found, **product}, at)]
    if dispute is not None or str(found.get("status") or _NEW) != _NEW or _refusal(found):
        telling = {name: value for name, value in found.items() if name not in _VOLATILE}
        body = {"after_sale_order": found, "complaint": dispute, **product}
        raws.append(_raw(f"{STATE}{order}", digest_of(telling, _told(dispute or {})), body, at))
    return raws


def _raw(key: str, digest: str, body: Mapping[str, Any], at: datetime) -> Raw:
    return Raw(key=key, digest=digest, body=encode(body), media_type="application/json", received_at=at)


def _refusal(found: Mapping[str, Any]) -> object:
    told = found.get("merchant_upload_info")
    return told.get("reject_reason") if isinstance(told, dict) else None


def _told(dispute: Mapping[str, Any]) -> list[object]:
    history = dispute.get("history")
    steps = history if isinstance(history, list) else [history]
    told = [[step.get(name) for name in _STEP] if isinstance(step, dict) else step for step in steps]
    return [dispute.get("status"), told]


def is_watched(found: Mapping[str, Any], dispute: Mapping[str, Any] | None) -> bool:
    if dispute is not None:
        return str(dispute.get("status")) not in _SETTLED
    return str(found.get("status") or "").startswith(_REFUSED)


def made_at(found: Mapping[str, Any], now: int) -> int:
    made = found.get("create_time")
    return min(made, now) if isinstance(made, int) and made > 0 else now
