"""Reading complaints: what was told of, what is listed anew, and what is still open; each with its whole history."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from allears_sdk.codec import encode, encode_stable
from allears_sdk.connector import Batch, Cursor, Missing
from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Unavailable
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex
from connectors.wechat_pay.api import COMPLAINTS, Absent, Api, TooMuch, complaint_path
from connectors.wechat_pay.crypto import open_field
from connectors.wechat_pay.place import GONE, OVERLAP, SPAN, UNREAD, Place, day_of, load, mark_of, windows

LIST_ITEMS = 50
HISTORY_ITEMS = 50
"""The documents permit 300; merchants report errors above 130."""
MAX_HISTORY = 5000
MAX_FAILURES = 3
"""Complaints that WeChat Pay may fail to give in one walk before it counts as down."""
_VOLATILE = frozenset({"payer_phone", "complaint_media_list", "incoming_user_response"})
"""Sealed anew in every answer; signed addresses; a flag that only says whether the merchant has answered."""


@dataclass(kw_only=True)
class _Page:
    """What the next batch holds."""

    raws: list[Raw] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.raws) + len(self.missing)

    def taken(self, place: Place, *, more: bool) -> Batch:
        raws, missing = self.raws, self.missing
        self.raws, self.missing = [], []
        return Batch(raws=raws, missing=missing, cursor=place.cursor(), more=more)


class Walk:
    """Complaints of one merchant. A complaint is one raw: its page and its history as WeChat Pay gives them."""

    def __init__(self, api: Api, context: Context, look_back: timedelta | None) -> None:
        self._api = api
        self._context = context
        self._look_back = look_back
        self._recheck = timedelta(minutes=api.settings.recheck_minutes)

    async def batches(self, cursor: Cursor | None, told: Iterable[str], limit: int) -> AsyncGenerator[Batch, None]:
        """The cursor's days move on with the last batch alone: a walk that was cut short begins again, and only reads
        what it has not read yet."""
        now = self._context.clock.now()
        place, page = load(cursor, now, self._look_back), _Page()
        done: set[str] = set()
        failures: list[Unavailable] = []
        async with aclosing(self._due(place, now, told, page)) as due:
            async for complaint, mark in due:
                if complaint in done or (mark and place.marks.get(complaint) == mark):
                    continue
                done.add(complaint)
                failures += await self._read(complaint, mark, place, page)
                if len(failures) > MAX_FAILURES:
                    raise failures[-1]
                if page.count >= limit:
                    yield page.taken(place, more=True)
        place.until = max(place.until, day_of(now))
        yield page.taken(place, more=False)
        if failures:
            raise failures[0]

    async def _due(
        self, place: Place, now: datetime, told: Iterable[str], page: _Page
    ) -> AsyncGenerator[tuple[str, str], None]:
        """Complaints to read and the mark they are known by; none: read it in any case."""
        for complaint in told:
            yield complaint, ""
        today = day_of(now)
        rechecks = place.rechecked_at is None or now - place.rechecked_at >= self._recheck
        begin = place.until - OVERLAP
        if rechecks:
            begin = min(begin, today - SPAN + timedelta(days=1))
        listed: set[str] = set()
        still_open = place.open
        for first, last in windows(max(begin, place.since), today):
            async with aclosing(self._listed(first, last)) as rows:
                async for row in rows:
                    complaint = str(row.get("complaint_id") or "")
                    if not complaint:
                        page.missing.append(_nameless(row))
                        continue
                    listed.add(complaint)
                    yield complaint, mark_of(row)
        if rechecks:
            for complaint in still_open:  # a customer's second message in a row changes nothing in the listing
                yield complaint, ""
            place.forget_finished(listed)
            place.rechecked_at = now

    async def _listed(self, first: date, last: date) -> AsyncGenerator[dict[str, Any], None]:
        """By creation, in pages that shift when complaints come in meanwhile; the next listing overlaps this one."""
        about = {"begin_date": first, "end_date": last, "complainted_mchid": self._api.settings.complainted_mchid}
        offset, limit, total = 0, LIST_ITEMS, 0
        while True:
            try:
                answer = await self._api.get(COMPLAINTS, limit=limit, offset=offset, **about)
            except TooMuch:
                if limit == 1:
                    raise
                limit = max(1, limit // 2)
                continue
            rows = _objects(answer)
            for row in rows:
                yield row
            offset += len(rows)
            total = _number(answer.get("total_count"), total)  # told with the first page alone
            if not rows or (len(rows) < limit and offset >= total):
                return

    async def _read(self, complaint: str, mark: str, place: Place, page: _Page) -> list[Unavailable]:
        """Into the page. One that is listed but refused becomes a letter; one that WeChat Pay fails to give now is
        tried again with those that are open, and stops no other."""
        try:
            found = await self._api.get(complaint_path(complaint))
            history = await self._history(complaint)
        except Rejected as error:
            if isinstance(error, Absent) and complaint not in place.marks and not mark:
                self._context.log.info("wechat_pay.no_such_complaint", reason=str(error))
                return []
            page.missing.append(Missing(key=complaint, reason=str(error), locator={"complaint_id": complaint}))
            place.marks[complaint] = mark or GONE
            return []
        except Unavailable as error:
            place.marks.setdefault(complaint, UNREAD)
            return [error]
        place.marks[complaint] = mark_of(found)
        page.raws.append(self._raw(complaint, found, history))
        return []

    async def _history(self, complaint: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        limit, total = HISTORY_ITEMS, 0
        while len(entries) < MAX_HISTORY:
            path = f"{complaint_path(complaint)}/negotiation-historys"
            try:
                answer = await self._api.get(path, limit=limit, offset=len(entries))
            except TooMuch:
                if limit == 1:
                    raise
                limit = max(1, limit // 2)
                continue
            found = _objects(answer)
            entries += found
            total = _number(answer.get("total_count"), total)
            if not found or (len(found) < limit and len(entries) >= total):
                break
        return list({str(one.get("log_id")): one for one in entries}.values())

    async def entry(self, complaint: str, log: str) -> dict[str, Any]:
        """One of the history as it is now: addresses of pictures live for an hour. Raises Absent."""
        for one in await self._history(complaint):
            if str(one.get("log_id")) == log:
                return one
        raise Absent("this step is no longer in the complaint's history")

    def _raw(self, complaint: str, found: dict[str, Any], history: list[dict[str, Any]]) -> Raw:
        telling = {name: value for name, value in found.items() if name not in _VOLATILE}
        logs = sorted([str(one.get("log_id")), str(one.get("operate_details"))] for one in history)
        phone = self._phone(found.get("payer_phone"))
        return Raw(
            key=complaint,
            digest=sha256_hex(encode_stable([telling, logs, phone])),
            body=encode({"complaint": found, "history": history}),
            media_type="application/json",
            received_at=self._context.clock.now(),
            context={"phone": phone} if phone else {},
        )

    def _phone(self, sealed: Any) -> str:
        """Opened here, with the key it was sealed for: a merchant changes its key some day."""
        if not isinstance(sealed, str) or not sealed:
            return ""
        try:
            return open_field(self._api.private_key, sealed)
        except ValueError:
            self._context.log.warning("wechat_pay.phone_unreadable", reason="it was sealed for another private key")
            return ""


def _nameless(row: dict[str, Any]) -> Missing:
    about = {"complaint_time": str(row.get("complaint_time"))}
    telling = {name: value for name, value in row.items() if name not in _VOLATILE}
    key = f"sha256:{sha256_hex(encode_stable(telling))}"
    return Missing(key=key, reason="WeChat Pay lists a complaint without its number", locator=about)


def _number(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def _objects(answer: dict[str, Any]) -> list[dict[str, Any]]:
    found = answer.get("data")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
