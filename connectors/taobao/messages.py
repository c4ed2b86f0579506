"""The message service (TMC) over HTTP: a message names what has happened to which order; the rest is asked for.

`taobao.tmc.messages.consume` gives what nobody has confirmed; what is not confirmed comes again after some minutes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from allears_sdk.codec import decode
from allears_sdk.connector import Batch, Missing
from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Unavailable
from allears_sdk.message import Raw
from allears_sdk.noting import Noting
from allears_sdk.sweep import unreadable
from connectors.taobao.api import Api
from connectors.taobao.rows import list_in
from connectors.taobao.settings import TaobaoSettings

CONSUME, CONFIRM = "taobao.tmc.messages.consume", "taobao.tmc.messages.confirm"
QUANTITY = 200
MAX_ROUNDS = 50
MAX_FAILURES = 3
"""Messages whose details Taobao may fail to give in one poll before it counts as down; and how often one may fail."""
RATED = "taobao_trade_TradeRated"
REFUNDED = "taobao_refund_"
CURSOR = {"version": 1}
"""The queue is its own."""

Details = Callable[[str], Awaitable[Sequence[Raw]]]


@dataclass(kw_only=True)
class _Portion:
    """What the next batch holds, and which messages told of it."""

    raws: dict[str, Raw] = field(default_factory=dict)
    missing: dict[str, Missing] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)


class Messages:
    """`refund` and `ratings` ask for what a number names, and raise as `Api.call`."""

    def __init__(
        self, api: Api, settings: TaobaoSettings, context: Context, *, refund: Details, ratings: Details
    ) -> None:
        self._api = api
        self._settings = settings
        self._context = context
        self._details = {REFUNDED: ("refund_id", refund), RATED: ("tid", ratings)}
        self._noting = Noting(context)
        self._failed: dict[str, int] = {}

    async def batches(self, limit: int) -> AsyncIterator[Batch]:
        """What was told is confirmed in the line after `yield`: once it is on disk."""
        seen: set[str] = set()
        failures: list[Unavailable] = []
        for _ in range(MAX_ROUNDS):
            new = [one for one in await self._consume() if str(one["id"]) not in seen]
            if not new:
                break
            seen |= {str(one["id"]) for one in new}
            portion = _Portion()
            for message in new:
                await self._read(message, portion, failures)
                if len(portion.raws) + len(portion.missing) >= limit:
                    async for batch in self._stored(portion, limit):
                        yield batch
                    portion = _Portion()
            async for batch in self._stored(portion, limit):
                yield batch
        yield Batch(cursor=CURSOR)
        if failures:
            raise failures[0]

    async def _stored(self, portion: _Portion, limit: int) -> AsyncIterator[Batch]:
        raws, missing = list(portion.raws.values()), list(portion.missing.values())
        for start in range(0, max(len(raws), bool(missing)), limit):
            yield Batch(raws=raws[start : start + limit], missing=() if start else missing, more=True)
        if portion.told:
            await self._api.call(CONFIRM, {"s_message_ids": ",".join(portion.told), **self._group()})

    async def _consume(self) -> list[dict[str, Any]]:
        answer = await self._api.call(CONSUME, {"quantity": QUANTITY, **self._group()})
        return [one for one in list_in(answer, "messages") if isinstance(one, dict) and one.get("id")]

    def _group(self) -> dict[str, str]:
        return {"group_name": self._settings.message_group}

    async def _read(self, message: Mapping[str, Any], portion: _Portion, failures: list[Unavailable]) -> None:
        """Into the portion. One whose details cannot be had now is not confirmed: it comes again."""
        try:
            portion.raws |= {raw.key: raw for raw in await self._raws(message)}
        except (Rejected, Unavailable) as error:
            if isinstance(error, Unavailable) and not self._is_hopeless(str(message["id"])):
                failures.append(error)
                if len(failures) > MAX_FAILURES:
                    raise
                return
            missing = _missing(message, str(error))
            portion.missing[missing.key] = missing
        self._failed.pop(str(message["id"]), None)
        portion.told.append(str(message["id"]))

    def _is_hopeless(self, message: str) -> bool:
        self._failed[message] = self._failed.get(message, 0) + 1
        return self._failed[message] >= MAX_FAILURES

    async def _raws(self, message: Mapping[str, Any]) -> Sequence[Raw]:
        topic, shop = str(message.get("topic") or ""), str(message.get("user_nick") or "")
        if shop and shop != self._settings.shop:
            return self._ignored("taobao.message_of_another_shop", shop=shop)
        found = self._details.get(REFUNDED if topic.startswith(REFUNDED) else topic)
        if found is None:
            return self._ignored("taobao.message_ignored", topic=topic)
        name, details = found
        try:
            number = str(decode(str(message.get("content")), dict[str, Any])[name])
        except (ValueError, KeyError):
            return unreadable(dict(message), self._context.clock.now(), f"a message that names no {name}").raws
        return await details(number)

    def _ignored(self, event: str, **facts: str) -> Sequence[Raw]:
        """Confirmed all the same: in a queue of our own nobody else wants it."""
        self._noting.note(event, **facts)
        return ()


def _missing(message: Mapping[str, Any], reason: str) -> Missing:
    locator = {"topic": str(message.get("topic"))[:80], "content": str(message.get("content"))[:500]}
    return Missing(key=f"message:{message['id']}", reason=reason, locator=locator)
