"""Where conversations can be answered: kept apart from the messages, encrypted, for as long as DingTalk lets us."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

from allears_sdk.codec import convert, plain
from allears_sdk.connector import Address
from allears_sdk.context import Context
from allears_sdk.errors import Void
from allears_sdk.signing import sha256_hex
from connectors.dingtalk.notice import Notice, Session

_AT_ONCE = 10


class Sessions:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._kept: dict[str, datetime] = {}
        """Until when each is good that we have kept ourselves, the newest last."""

    async def keep(self, notice: Notice) -> None:
        if notice.session is None or not notice.conversation:
            return
        name = _name(notice.conversation)
        await self._context.tokens.put(name, plain(notice.session))
        self._kept.pop(name, None)
        self._kept[name] = notice.session.until
        await self._clear()

    async def find(self, address: Address) -> Session:
        """Raises Void."""
        kept = await self._context.tokens.get(_name(address.thread[-1])) if address.thread else None
        if not kept:
            raise Void("DingTalk named no address for an answer")
        session = convert(dict(kept), Session)
        if self._context.clock.now() >= session.until:
            await self._context.tokens.delete(_name(address.thread[-1]))
            raise Void("DingTalk's time for an answer has passed")
        return session

    async def _clear(self) -> None:
        """Those that are over, a few at a time."""
        now = self._context.clock.now()
        for name in [name for name, until in islice(self._kept.items(), _AT_ONCE) if until <= now]:
            del self._kept[name]
            await self._context.tokens.delete(name)


def _name(conversation: str) -> str:
    return f"session-{sha256_hex(conversation)[:32]}"
