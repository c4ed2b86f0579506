"""Where conversations can be answered: kept apart from the messages, encrypted, for as long as DingTalk lets us."""

from __future__ import annotations

from allears_sdk.codec import convert, plain
from allears_sdk.connector import Address
from allears_sdk.context import Context
from allears_sdk.errors import Void
from allears_sdk.signing import sha256_hex
from connectors.dingtalk.notice import Notice, Session


class Sessions:
    def __init__(self, context: Context) -> None:
        self._context = context

    async def keep(self, notice: Notice) -> None:
        if notice.session is not None and notice.conversation:
            await self._context.tokens.put(_name(notice.conversation), plain(notice.session))

    async def find(self, address: Address) -> Session:
        """Raises Void."""
        kept = await self._context.tokens.get(_name(address.thread[-1])) if address.thread else None
        if not kept:
            raise Void("DingTalk named no address for an answer")
        session = convert(dict(kept), Session)
        if self._context.clock.now() >= session.until:
            raise Void("DingTalk's time for an answer has passed")
        return session


def _name(conversation: str) -> str:
    return f"session-{sha256_hex(conversation)[:32]}"
