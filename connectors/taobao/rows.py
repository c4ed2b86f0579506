"""Rows of Taobao's lists, as raws (`taobao.traderates.get`, `taobao.refunds.receive.get`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from allears_sdk.errors import Unavailable
from allears_sdk.message import Raw
from allears_sdk.numbers import id_of, whole
from allears_sdk.spans import Rows
from allears_sdk.sweep import Listed, digest_of, raw_of, unreadable
from connectors._marketplace.times import moment

RATING, ANSWER, ADDED, REFUND = "rate:", "answer:", "added:", "refund:"
"""Begin the keys."""
RATING_FIELDS = "tid,oid,role,nick,result,created,rated_nick,item_title,item_price,num_iid,content,reply,ouid"
REFUND_FIELDS = (
    "refund_id,tid,oid,title,buyer_nick,status,created,modified,refund_fee,reason,desc,good_status,refund_phase,"
    "dispute_type"
)
_TELLING = ("status", "reason", "desc", "refund_fee", "good_status", "refund_phase", "dispute_type")
Lister = Callable[[Any, datetime], Listed]


def read_rows(answer: Mapping[str, Any], name: str, now: datetime, listed: Lister) -> Rows:
    """Raises Unavailable for what is no list."""
    rows = list_in(answer, name)
    total = whole(answer.get("total_results", 0), -1)
    if total < len(rows):
        raise Unavailable("Taobao does not say how many rows there are")
    return Rows(items=[listed(row, now) for row in rows], total=total)


def list_in(answer: Mapping[str, Any], name: str) -> list[Any]:
    """Lists are wrapped twice, and an empty one is left out; the inner name differs from one client to the next."""
    outer = answer.get(name)
    lists = [one for one in outer.values() if isinstance(one, list)] if isinstance(outer, dict) else [outer or []]
    if len(lists) > 1 or not all(isinstance(one, list) for one in lists):
        raise Unavailable("Taobao's list is not what it documents")
    return lists[0] if lists else []


def rating(row: Any, now: datetime) -> Listed:
    """A rating has no id and a buyer rates an order line once: known by both and its time."""
    known = row if isinstance(row, dict) else {}
    order, at = id_of(known.get("oid")), moment(known.get("created"))
    if not order or at is None:
        return unreadable(row, now, "a rating without an order or a time")
    return Listed(raws=tuple(_ratings(known, order, now)), at=at)


def _ratings(row: Mapping[str, Any], order: str, now: datetime) -> Iterator[Raw]:
    key = f"{RATING}{order}:{str(row.get('role') or 'buyer')[:20]}:{row['created']}"
    matters = digest_of(row.get("result"), row.get("content"))
    yield raw_of(key, row, now, matters)
    if row.get("reply"):
        yield raw_of(f"{ANSWER}{key.removeprefix(RATING)}", row, now, digest_of(row["reply"]))


def order_of(rated: Raw) -> str:
    """The order line that a rating is of."""
    return rated.key.removeprefix(RATING).partition(":")[0]


def added(info: Any, rated: Raw, now: datetime) -> Iterator[Raw]:
    """What the buyer added to a rating weeks later, under a time of its own (追评)."""
    words = info.get("append_content") if isinstance(info, dict) else None
    if isinstance(words, str) and words.strip():
        yield raw_of(f"{ADDED}{order_of(rated)}", info, now, digest_of(words), rating=rated.key)


def refund(row: Any, now: datetime) -> Listed:
    known = row if isinstance(row, dict) else {}
    case = id_of(known.get("refund_id"))
    if not case:
        return unreadable(row, now, "a refund without its number")
    matters = digest_of(*(known.get(name) for name in _TELLING))
    raw = raw_of(f"{REFUND}{case}", known, now, matters)
    return Listed(raws=(raw,), at=moment(known.get("modified")))
