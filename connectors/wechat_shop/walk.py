"""Reading a shop's after-sales orders: what was told of, what changed since, and what is in dispute.

The list goes by the time of a change, in spans that are closed before they are read: what changes meanwhile moves into
a later span.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from allears_sdk.codec import encode_stable
from allears_sdk.connector import Batch, Cursor, Missing
from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Unavailable
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex
from connectors.wechat_shop.api import ShopApi
from connectors.wechat_shop.place import Place, is_watched, load, made_at, raws_of

SPAN_SECONDS = 86_400
"""The longest that may be asked for."""
CLOSED_SECONDS = 60
OVERLAP_SECONDS = 300
MAX_FAILURES = 3
"""Orders that the platform may fail to give in one walk before it counts as down."""


@dataclass(kw_only=True)
class _Walked:
    """What one walk has read, and what the next batch holds."""

    now: int
    raws: list[Raw] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    failures: list[Unavailable] = field(default_factory=list)

    def portion(self, limit: int) -> Batch:
        raws, self.raws = self.raws[:limit], self.raws[limit:]
        missing, self.missing = self.missing, []
        return Batch(raws=raws, missing=missing, more=True)

    def taken(self, cursor: Cursor, *, more: bool = True) -> Batch:
        """What is left of a page, and the cursor that is true then."""
        raws, missing = self.raws, self.missing
        self.raws, self.missing = [], []
        return Batch(raws=raws, missing=missing, cursor=cursor, more=more)


class Walk:
    def __init__(self, api: ShopApi, context: Context, look_back: timedelta, recheck: timedelta) -> None:
        self._api = api
        self._context = context
        self._look_back_seconds = int(look_back.total_seconds())
        self._recheck_seconds = int(recheck.total_seconds())

    async def batches(self, cursor: Cursor | None, told: Iterable[str], limit: int) -> AsyncGenerator[Batch, None]:
        """At most `limit` raws in each; every cursor is true once its batch is stored."""
        walked = _Walked(now=int(self._context.clock.now().timestamp()))
        place = load(cursor) if cursor is not None else Place(since=walked.now - self._look_back_seconds)
        if cursor is None:  # fixed before anything can fail
            yield Batch(cursor=place.cursor(), more=True)
        for part in (self._read(told, place, walked, limit), self._changed(place, walked, limit)):
            async with aclosing(part) as batches:
                async for batch in batches:
                    yield batch
        if walked.now - place.rechecked >= self._recheck_seconds:
            place.forget_old(walked.now)
            async with aclosing(self._read(list(place.watched), place, walked, limit)) as batches:
                async for batch in batches:
                    yield batch
            place.rechecked = walked.now
        yield walked.taken(place.cursor(), more=False)
        if walked.failures:
            raise walked.failures[0]

    async def _changed(self, place: Place, walked: _Walked, limit: int) -> AsyncGenerator[Batch, None]:
        until = walked.now - CLOSED_SECONDS
        begin = place.since if place.end else place.since - OVERLAP_SECONDS
        while place.since < until:
            end = place.end or min(begin + SPAN_SECONDS, until)
            orders, following = await self._page(begin, end, place)
            names = [order for order in (self._name(order, walked) for order in orders) if order]
            async with aclosing(self._read(names, place, walked, limit)) as batches:
                async for batch in batches:
                    yield batch
            place.advance(begin, end, following)
            begin = place.since
            yield walked.taken(place.cursor())

    async def _page(self, begin: int, end: int, place: Place) -> tuple[Iterable[Any], str]:
        """From the beginning of the span where the platform has forgotten the position."""
        try:
            return await self._api.changed(begin, end, place.position)
        except Rejected:
            if not place.position:
                raise
            place.position = ""
            return await self._api.changed(begin, end, "")

    async def _read(
        self, orders: Iterable[str], place: Place, walked: _Walked, limit: int
    ) -> AsyncGenerator[Batch, None]:
        for order in orders:
            if order in walked.done:
                continue
            walked.done.add(order)
            await self._take(order, place, walked)
            while len(walked.raws) >= limit:
                yield walked.portion(limit)

    async def _take(self, order: str, place: Place, walked: _Walked) -> None:
        """One that is listed but refused becomes a letter; one that cannot be had now is tried again with those that
        are watched, and stops no other."""
        try:
            found = await self._api.after_sale(order)
            dispute = await self._dispute(order, found, walked)
            product = found.get("product_info")
            title = await self._api.title(str(product.get("product_id") or "")) if isinstance(product, dict) else ""
        except Rejected as error:
            place.watched.pop(order, None)
            locator = {"after_sale_order_id": order}
            walked.missing.append(Missing(key=order, reason=str(error), locator=locator))
        except Unavailable as error:
            place.watched.setdefault(order, walked.now)
            walked.failures.append(error)
            if len(walked.failures) > MAX_FAILURES:
                raise
        else:
            place.watched.pop(order, None)
            if is_watched(found, dispute):
                place.watched[order] = made_at(found, walked.now)
            walked.raws += raws_of(order, found, dispute, title, self._context.clock.now())

    async def _dispute(self, order: str, found: Any, walked: _Walked) -> Any:
        """None: there is none."""
        complaint = found.get("complaint_id")
        if not isinstance(complaint, str | int) or not complaint or str(complaint) == "0":
            return None
        try:
            return await self._api.dispute(str(complaint))
        except Rejected as error:
            locator = {"after_sale_order_id": order, "complaint_id": str(complaint)}
            walked.missing.append(Missing(key=f"dispute:{complaint}", reason=str(error), locator=locator))
            return None

    @staticmethod
    def _name(order: Any, walked: _Walked) -> str:
        if isinstance(order, str | int) and not isinstance(order, bool) and 0 < len(str(order)) <= 64:
            return str(order)
        key = f"sha256:{sha256_hex(encode_stable(order))}"
        walked.missing.append(Missing(key=key, reason="the shop lists an after-sales order without its number"))
        return ""
