"""A shop on JD: reviews by when they were written, after-sales cases by when they changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from allears_sdk.connector import (
    Ask,
    Batch,
    Connector,
    ConnectorSpec,
    Cursor,
    Hears,
    Identity,
    Media,
    Missing,
    Threading,
    Words,
)
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected, Unavailable
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.settings import ChannelSettings
from allears_sdk.spans import Reach, Rows, Span, Spans
from allears_sdk.sweep import Listed
from connectors._marketplace.times import in_beijing
from connectors.jd import parse
from connectors.jd.api import Api
from connectors.jd.rows import CASE, case, number_of, read_cases, read_reviews
from connectors.jd.settings import JdSettings

LOOK_BACK = timedelta(days=7)
PAGE_ITEMS = 50
REVIEWS = Reach(width=timedelta(days=7), page_items=PAGE_ITEMS, most=5000)
CASES = Reach(width=timedelta(hours=2), page_items=PAGE_ITEMS, most=5000)
"""A case is a call, and a span that is broken off begins again: short ones get through whatever a day's limit is."""
LIST_REVIEWS = "jingdong.pop.PopCommentJsfService.getVenderCommentsForJos"
LIST_CASES = "/afs-orders"
MAX_FAILURES = 3
"""So often a case whose page fails holds up the others; and so many on a page may."""
PATIENCE = timedelta(hours=6)
"""So long where no other was given either."""
_ALL = "0"


class JdConnector(Connector[JdSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="jd",
        title_en="JD reviews and after-sales",
        title_zh="京东评价与售后",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        public=True,
        look_back=LOOK_BACK,
        verified="a simulator; the API is known from its clients only",
        verified_zh="模拟器；接口只从客户端得知",
    )
    Settings: ClassVar[type[ChannelSettings]] = JdSettings

    def __init__(self, settings: JdSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        look_back = settings.effective_look_back(LOOK_BACK)
        self._spans = {
            f"jd://{settings.shop}/reviews": Spans(
                context,
                self._reviews,
                REVIEWS,
                look_back=look_back,
                every=timedelta(hours=settings.sweep_hours),
                depth=timedelta(days=settings.sweep_days),
            ),
            f"jd://{settings.shop}/after_sales": Spans(context, self._cases, CASES, look_back=look_back),
        }
        self._failures: dict[str, tuple[datetime, int]] = {}
        """Cases: since when, and how often while others were given."""

    async def login(self, ask: Ask) -> None:
        query = {"app_key": self.settings.app_key, "scope": "snsapi_base"}
        await self._api.session.login(ask, f"{self.settings.oauth_url}/to_login", query)

    async def check(self) -> Identity:
        now, details = self.context.clock.now(), []
        day = Span(begin=now - timedelta(days=1), end=now)
        if "reviews" in self.settings.sources:
            count = (await self._reviews(day, 1)).total
            details.append(Words(f"{count} reviews in a day", zh=f"一天内 {count} 条评价"))
        if "after_sales" in self.settings.sources:
            _, count = read_cases(await self._list(day, 1))
            details.append(Words(f"{count} cases changed in a day", zh=f"一天内 {count} 笔售后有变化"))
        return Identity(account=self.settings.shop, details=details)

    async def streams(self) -> Sequence[str]:
        return tuple(name for name in self._spans if name.rpartition("/")[2] in self.settings.sources)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        return self._spans[stream].batches(cursor, limit)

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse.parse(raw, settings)

    async def fetch(self, ref: Ref) -> Media:
        """A picture of a review."""
        path = parse.image_path(str(ref.locator["path"]))
        if not path:
            raise Rejected("this is not an address of JD's")
        response = await self.context.remote.fetch_public(f"https://{path}", self.settings.max_attachment_bytes)
        return Media.of(response)

    async def _reviews(self, span: Span, page: int) -> Rows:
        asked = {
            "beginTime": in_beijing(span.begin),
            "endTime": in_beijing(span.end),
            "score": _ALL,
            "page": str(page),
            "pageSize": str(PAGE_ITEMS),
        }
        try:
            answer = await self._api.call(LIST_REVIEWS, asked)
        except Rejected as error:
            raise ConfigError(
                f"JD does not take this call; compare `gateway_url` with its documents: {error}"
            ) from None
        return read_reviews(answer, self.context.clock.now())

    async def _cases(self, span: Span, page: int) -> Rows:
        """The list names them; what they say is asked for one by one."""
        rows, total = read_cases(await self._list(span, page))
        now, failed = self.context.clock.now(), dict[str, Unavailable]()
        found = [await self._case(row, now, failed) for row in rows]
        items = [one for one in found if isinstance(one, Listed)]
        missing = [one for one in found if isinstance(one, Missing)]
        hopeless = [self._is_hopeless(number, now, works=bool(items)) for number in failed]
        if not all(hopeless):
            raise next(iter(failed.values()))
        missing += [_missing(number, error) for number, error in failed.items()]
        self._failures = {number: told for number, told in self._failures.items() if number not in failed}
        return Rows(items=items, total=total, missing=missing)

    async def _list(self, span: Span, page: int) -> Mapping[str, Any]:
        asked = {
            "updateStartTime": _milliseconds(span.begin),
            "updateEndTime": _milliseconds(span.end),
            "page": str(page),
            "pageSize": str(PAGE_ITEMS),
        }
        try:
            return await self._api.get(LIST_CASES, asked, {})
        except Rejected as error:
            raise ConfigError(f"JD does not take this call; compare `url` with its documents: {error}") from None

    async def _case(self, row: Any, now: datetime, failed: dict[str, Unavailable]) -> Listed | Missing | None:
        """One that JD refuses becomes a letter; one that it fails to give is noted. When it fails to give many, it is
        down."""
        number = number_of(row)
        if not number:
            return case(row, "", now)
        path, scope = f"{LIST_CASES}/{quote(number, safe='')}", {"scopeSet": "refundInfo,skuExtInfo"}
        try:
            answer = await self._api.get(path, scope, {"afsOrderId": number})
        except Rejected as error:
            return _missing(number, error)
        except Unavailable as error:
            failed[number] = error
            if len(failed) > MAX_FAILURES:
                raise
            return None
        self._failures.pop(number, None)
        return case(answer.get("data"), number, now)

    def _is_hopeless(self, number: str, now: datetime, *, works: bool) -> bool:
        """It failed again and again while others were given (`works`), or for hours."""
        since, count = self._failures.get(number, (now, 0))
        self._failures[number] = since, count + works
        return count + works >= MAX_FAILURES or now - since >= PATIENCE


def _missing(number: str, error: Exception) -> Missing:
    return Missing(key=f"{CASE}{number}", reason=str(error), locator={"afsOrderId": number})


def _milliseconds(at: datetime) -> str:
    return str(int(at.timestamp() * 1000))
