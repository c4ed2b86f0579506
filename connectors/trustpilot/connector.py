"""Reviews on Trustpilot: pushed as they are written, changed or removed, and read, so that none is missed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.connector import (
    Batch,
    Connector,
    ConnectorSpec,
    Cursor,
    Hears,
    Identity,
    Reception,
    Request,
    Threading,
    Words,
)
from allears_sdk.context import Context
from allears_sdk.message import Message, Raw
from allears_sdk.noting import Noting
from allears_sdk.presence import Attendance
from allears_sdk.settings import ChannelSettings
from allears_sdk.signing import same
from allears_sdk.sweep import Page, Sweep
from connectors.trustpilot import parse
from connectors.trustpilot.api import Api
from connectors.trustpilot.events import Event, read_events
from connectors.trustpilot.reviews import PRODUCT, read_page
from connectors.trustpilot.settings import TrustpilotSettings

LOOK_BACK = timedelta(days=7)
PAGE_ITEMS = 100
PUSHED = "trustpilot://pushed"
_GAP = "nobody took what Trustpilot pushed, and without api_key nothing is read back: look into Trustpilot's own inbox"


class TrustpilotConnector(Connector[TrustpilotSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="trustpilot",
        title_en="Trustpilot reviews",
        title_zh="Trustpilot 评价",
        hears=frozenset({Hears.POLL, Hears.RECEIVE}),
        threading=Threading.ITEM,
        public=True,
        look_back=LOOK_BACK,
        signed=True,
        verified="a simulator of the documented API; recorded shapes",
        verified_zh="按文档自写的模拟器；录制的数据样例",
    )
    Settings: ClassVar[type[ChannelSettings]] = TrustpilotSettings

    def __init__(self, settings: TrustpilotSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        self._secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
        self._noting = Noting(context)
        self._attendance = Attendance(context, settings, reason=_GAP, from_first=True)
        self._sweeps: dict[str, Sweep] = {}
        unit = settings.business_unit_id
        if settings.api_key is not None:
            self._sweeps[f"trustpilot://{unit}"] = self._sweep(self._reviews, is_ordered=True)
        if settings.product_reviews:
            self._sweeps[f"trustpilot://{unit}/products"] = self._sweep(self._product_reviews, is_ordered=False)

    async def check(self) -> Identity:
        settings = self.settings
        if settings.api_key is None:
            alone = Words("no api_key: what is pushed alone is heard", zh="没有 api_key：只听推送")
            return Identity(account=settings.business_unit_id or self.context.name, details=(alone,))
        await self._reviews("", limit=1)
        told = [Words("reads reviews as the public sees them", zh="读取公开可见的评价")]
        if settings.api_secret is not None:
            told = [Words("reads reviews with order numbers and e-mail addresses", zh="读取评价，含订单号和邮箱")]
        if settings.product_reviews:
            await self._product_reviews("", limit=1)
            told.append(Words("reads reviews of products", zh="读取商品评价"))
        if not self._secret:
            told.append(Words("no webhook_secret: nothing is pushed", zh="没有 webhook_secret：不接收推送"))
        return Identity(account=settings.business_unit_id, details=told)

    async def streams(self) -> Sequence[str]:
        return tuple(self._sweeps) or (PUSHED,)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        return self._attendance.batches(cursor) if stream == PUSHED else self._sweeps[stream].batches(cursor, limit)

    async def receive(self, request: Request) -> Reception:
        if not self._secret or not same(request.path.strip("/"), self._secret):
            return Reception.refuse("not the address with the webhook_secret")
        if request.method != "POST":
            return Reception.refuse(f"method {request.method[:10]}", 405)
        self._attendance.heard()
        events = list(self._heard(request))
        first = await self.context.known([event.raw.key for event in events if event.is_first])
        for sweep in self._sweeps.values():
            sweep.forget(event.raw.key for event in events)
        return Reception(raws=[event.raw for event in events if not (event.is_first and event.raw.key in first)])

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return (parse.parse(raw),)

    def _heard(self, request: Request) -> Iterator[Event]:
        for event in read_events(request.body, request.received_at):
            if isinstance(event, Event):
                yield event
            else:
                self._noting.note("event_not_heard", event_name=event)

    def _sweep(self, ask: Callable[[str], Awaitable[Page]], *, is_ordered: bool) -> Sweep:
        return Sweep.deep(self.context, ask, self.settings, look_back=LOOK_BACK, is_ordered=is_ordered)

    async def _reviews(self, position: str, *, limit: int = PAGE_ITEMS) -> Page:
        path = f"/business-units/{self.settings.business_unit_id}/reviews"
        number, asked = _asked(position, limit)
        answer = await self._api.get(path, {**asked, "orderBy": "createdat.desc"})
        return read_page(answer, "reviews", "", self.context.clock.now(), str(number + 1))

    async def _product_reviews(self, position: str, *, limit: int = PAGE_ITEMS) -> Page:
        path = f"/product-reviews/business-units/{self.settings.business_unit_id}/reviews"
        number, asked = _asked(position, limit)
        answer = await self._api.get(path, asked)
        return read_page(answer, "productReviews", PRODUCT, self.context.clock.now(), str(number + 1))


def _asked(position: str, limit: int) -> tuple[int, dict[str, int]]:
    """A position is the number of a page: what is new moves all pages by one item, which is then seen twice."""
    number = int(position or 1)
    return number, {"page": number, "perPage": limit}
