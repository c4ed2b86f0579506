"""Feedback, report by report: one is ordered, made by Amazon within minutes, and read when it is done."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from allears_sdk.codec import convert, decode, plain
from allears_sdk.connector import Batch, Cursor, Gap, Missing
from allears_sdk.context import Context
from allears_sdk.errors import Rejected, RetryLater, Unavailable
from allears_sdk.message import Raw
from connectors.amazon.api import FEEDBACK, REPORTS, Api, refused
from connectors.amazon.marketplaces import MARKETPLACES, Code, read_date
from connectors.amazon.rows import Row, decode_text, read_raws, read_rows, unpack
from connectors.amazon.settings import AmazonSettings

_LOOK_AGAIN_SECONDS = 60.0
_PATIENCE = timedelta(hours=24)
"""A report that is not made by then is ordered anew."""
_CAUGHT_UP = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where reading stands."""

    version: int = 1
    floor: datetime
    """What is older and unknown is baseline."""
    until: datetime | None = None
    """All that was given before is stored."""
    report: str = ""
    """The one that Amazon is making; "": none."""
    ordered: datetime | None = None
    end: datetime | None = None
    """Of its span."""


class Reports:
    """One seller's feedback in one marketplace."""

    def __init__(self, context: Context, api: Api, settings: AmazonSettings, code: Code, look_back: timedelta) -> None:
        self._context = context
        self._api = api
        self._settings = settings
        self._code: Code = code
        self._look_back = look_back

    async def batches(self, cursor: Cursor | None, limit: int) -> AsyncIterator[Batch]:
        """Every cursor is true once its batch is stored. Raises RetryLater while Amazon makes the report."""
        now = self._context.clock.now()
        place = convert(dict(cursor), Place) if cursor else Place(floor=now - self._look_back)
        if not place.report:
            place, gaps = await self._order(place, now)
            yield Batch(cursor=_dump(place), gaps=gaps, more=True)
        try:
            document = await self._look(place, now)
            raws, missing = await self._read(document, place) if document else ((), ())
        except Rejected as error:
            self._context.log.warning("amazon.report_not_made", marketplace=self._code, error=str(error))
            yield Batch(cursor=_dump(_without(place)))
            raise Unavailable("Amazon could not make the report; another one is ordered", detail=error.detail) from None
        for start in range(0, len(raws), limit):
            yield Batch(raws=raws[start : start + limit], more=True)
        after = replace(_without(place), until=place.end)
        yield Batch(cursor=_dump(after), missing=missing, more=bool(place.end and now - place.end > _CAUGHT_UP))

    async def _order(self, place: Place, now: datetime) -> tuple[Place, Sequence[Gap]]:
        """A report over the next span, and what is no longer to be had."""
        settings = self._settings
        recheck, oldest = timedelta(days=settings.recheck_days), now - timedelta(days=settings.history_days)
        start = max((place.until or min(place.floor + recheck, now)) - recheck, oldest)
        end = min(start + timedelta(days=settings.report_days), now)
        wanted = {
            "reportType": FEEDBACK,
            "marketplaceIds": [MARKETPLACES[self._code].id],
            "dataStartTime": _moment(start),
            "dataEndTime": _moment(end),
        }
        try:
            answer = await self._api.call("order", "POST", f"{REPORTS}/reports", json=wanted)
        except Rejected as error:
            raise refused(error) from None
        report = answer.get("reportId")
        if not isinstance(report, str) or not re.fullmatch(r"[\w.-]{1,100}", report):
            raise Unavailable("Amazon's answer names no report")
        place = replace(place, report=report, ordered=now, end=end)
        if place.until is None or place.until >= oldest:
            return place, ()
        gap = Gap(since=place.until, until=oldest, reason="older than Amazon gives feedback")
        return replace(place, until=oldest), (gap,)  # told once, though the report may have to be ordered again

    async def _look(self, place: Place, now: datetime) -> str:
        """The document's id; "" where there is nothing to report. Raises RetryLater, and Rejected where the report
        will never be."""
        report = await self._api.call("look", "GET", f"{REPORTS}/reports/{place.report}")
        status, document = report.get("processingStatus"), report.get("reportDocumentId")
        if status == "CANCELLED":  # "no data to return" is told so too
            return ""
        if status == "DONE" and isinstance(document, str) and re.fullmatch(r"[\w.:/-]{1,200}", document):
            return document
        if status in ("IN_QUEUE", "IN_PROGRESS") and (place.ordered is None or now - place.ordered < _PATIENCE):
            raise RetryLater("Amazon is making the report", after_seconds=_LOOK_AGAIN_SECONDS)
        raise Rejected(f"the report is {str(status)[:40]}")

    async def _read(self, document: str, place: Place) -> tuple[Sequence[Raw], Sequence[Missing]]:
        about = await self._api.call("document", "GET", f"{REPORTS}/documents/{document}")
        url = about.get("url")
        if not isinstance(url, str):
            raise Unavailable("Amazon's answer names no document")
        response = await self._api.download(url)
        found = re.search(r"charset=\"?([\w-]+)", response.header("content-type"), re.IGNORECASE)
        try:
            content = unpack(response.content) if about.get("compressionAlgorithm") == "GZIP" else response.content
        except ValueError as error:
            return (), (Missing(key=f"report:{place.report}", reason=str(error), locator={"report": place.report}),)
        text = decode_text(content, found[1] if found else "")
        now = self._context.clock.now()
        read = list(read_raws(read_rows(text), self._code, self._settings.columns, now))
        return await self._with_baseline(read, place), ()

    async def _with_baseline(self, raws: Sequence[Raw], place: Place) -> Sequence[Raw]:
        """What was written before the look-back is only known, until it changes."""
        old = {raw.key for raw in raws if not raw.quarantine and self._is_older(raw, place.floor)}
        known = await self._context.known(sorted(old)) if old else frozenset()
        return [replace(raw, baseline=True) if raw.key in old and raw.key not in known else raw for raw in raws]

    def _is_older(self, raw: Raw, floor: datetime) -> bool:
        """An answer goes with the feedback that it answers."""
        parts = decode(raw.body, Row).parts(self._settings.columns)
        at = read_date(parts.get("date", ""), MARKETPLACES[self._code])
        return at is not None and at + timedelta(days=1) <= floor


def _without(place: Place) -> Place:
    return replace(place, report="", ordered=None, end=None)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _dump(place: Place) -> Cursor:
    shown: Cursor = plain(place)
    return shown
