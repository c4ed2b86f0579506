"""Where conversations can be answered: kept apart from the messages, encrypted, for as long as DingTalk lets us."""

from __future__ import annotations

from datetime import datetime

from allears_sdk.connector import Address
from allears_sdk.context import Context
from allears_sdk.errors import Void
from allears_sdk.signing import sha256_hex
from connectors.dingtalk.notice import Notice


class Sessions:
    def __init__(self, context: Context) -> None:
        self._context = context

    async def keep(self, notice: Notice) -> None:
        if notice.session is not None and notice.thread:
            session = {"url": notice.session.url, "until": notice.session.until.isoformat()}
            await self._context.tokens.put(_name(notice.thread), session)

    async def find(self, address: Address) -> str:
        """Raises Void."""
        kept = await self._context.tokens.get(_name(address.thread[-1])) if address.thread else None
        if not kept:
            raise Void("DingTalk named no address for an answer")
        if self._context.clock.now() >= datetime.fromisoformat(str(kept["until"])):
            raise Void("DingTalk's time for an answer has passed")
        return str(kept["url"])


def _name(thread: str) -> str:
    return f"session-{sha256_hex(thread)[:32]}"
