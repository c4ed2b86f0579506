"""Reviews that Judge.me gathers: pushed as they are written or changed, and read, since none may be missed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import msgspec

from allears_sdk.connector import (
    Batch,
    Connector,
    ConnectorSpec,
    Cursor,
    Hears,
    Identity,
    Media,
    Reception,
    Request,
    Threading,
    Words,
)
from allears_sdk.context import Context
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.noting import Noting
from allears_sdk.settings import ChannelSettings
from allears_sdk.signing import BadSignature, hmac_hex, same, sha256_hex
from allears_sdk.sweep import Page, Sweep
from connectors.judge_me import parse
from connectors.judge_me.api import Api
from connectors.judge_me.reviews import read_page, read_row
from connectors.judge_me.settings import JudgeMeSettings

LOOK_BACK = timedelta(days=7)
PAGE_ITEMS = 100
SIGNATURES = ("JUDGEME-HMAC-SHA256", "X-Judgeme-Hmac-SHA256")
"""Some servers on the way rename it ("Verifying webhooks from Judge.me")."""
CREATED, UPDATED = "review/created", "review/updated"


class JudgeMeConnector(Connector[JudgeMeSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="judge_me",
        title_en="Judge.me reviews",
        title_zh="Judge.me 评价",
        hears=frozenset({Hears.POLL, Hears.RECEIVE}),
        threading=Threading.ITEM,
        public=True,
        look_back=LOOK_BACK,
        signed=True,
        verified="a simulator; parts of the API are known from other clients only",
        verified_zh="模拟器；部分接口只从其他客户端得知",
    )
    Settings: ClassVar[type[ChannelSettings]] = JudgeMeSettings

    def __init__(self, settings: JudgeMeSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        secrets = (settings.api_token, settings.app_secret)
        self._secrets = tuple(secret.get_secret_value() for secret in secrets if secret is not None)
        self._noting = Noting(context)
        self._sweep = Sweep.deep(context, self._page, settings, look_back=LOOK_BACK, is_ordered=False)

    async def check(self) -> Identity:
        await self._api.reviews(1, 1)
        return Identity(account=self.settings.shop_domain, details=(Words("may read reviews", zh="可以读取评价"),))

    async def streams(self) -> Sequence[str]:
        return (f"judge_me://{self.settings.shop_domain}",)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        return self._sweep.batches(cursor, limit)

    async def receive(self, request: Request) -> Reception:
        """Raises BadSignature."""
        if request.method != "POST":
            return Reception.refuse(f"method {request.method[:10]}", 405)
        self._verify(request)
        try:
            pushed = msgspec.json.decode(request.body)
        except (ValueError, RecursionError):
            return Reception(raws=(_unread(request),))
        what = pushed.get("event") if isinstance(pushed, dict) else None
        if isinstance(what, str) and what not in (CREATED, UPDATED):
            self._noting.note("event_not_heard", event_name=what)
            return Reception()
        raw = read_row(pushed.get("review") if isinstance(pushed, dict) else pushed, request.received_at).raws[0]
        is_late = what == CREATED and raw.key in await self.context.known([raw.key])
        self._sweep.forget((raw.key,))
        return Reception(raws=() if is_late else (raw,))

    async def fetch(self, ref: Ref) -> Media:
        return await self._api.picture(str(ref.locator["picture"]))

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return (parse.parse(raw, settings),)

    def _verify(self, request: Request) -> None:
        """The bytes are signed. Every secret is tried: no early end to time."""
        given = next((found for name in SIGNATURES if (found := request.header(name))), "")
        fits = [same(given.lower(), hmac_hex(secret, request.body)) for secret in self._secrets]
        if not any(fits):
            raise BadSignature("api_token or app_secret: whichever made the webhook signs it")

    async def _page(self, position: str) -> Page:
        """A position is the number of a page."""
        number = int(position or 1)
        answer = await self._api.reviews(number, PAGE_ITEMS)
        return read_page(answer, self.context.clock.now(), str(number + 1))


def _unread(request: Request) -> Raw:
    return Raw(
        key=sha256_hex(request.body),
        body=request.body,
        media_type="application/octet-stream",
        received_at=request.received_at,
        quarantine="signed by Judge.me, but not JSON",
    )
