"""Mail over POP3: a maildrop that is entered, listed and left at every poll."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.connector import Address, Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Threading
from allears_sdk.context import Context
from allears_sdk.mail.sender import Sender
from allears_sdk.settings import ChannelSettings
from connectors.pop3.session import Session
from connectors.pop3.settings import Pop3Settings
from connectors.pop3.visit import Visit
from connectors.pop3.walk import Walk


class Pop3Connector(Connector[Pop3Settings]):
    """A maildrop. Its raws are mails byte for byte (`message/rfc822`), read by the core's own reader."""

    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="pop3",
        title_en="E-mail (POP3)",
        title_zh="电子邮件(POP3)",
        hears=frozenset({Hears.POLL}),
        threading=Threading.MAIL,
        look_back=timedelta(days=30),
        verified="Dovecot 2.3.19",
        verified_zh="Dovecot 2.3.19",
    )
    Settings: ClassVar[type[ChannelSettings]] = Pop3Settings

    def __init__(self, settings: Pop3Settings, context: Context) -> None:
        super().__init__(settings, context)
        self._walk = Walk(settings, context)
        self._sender = Sender(settings.outgoing, context)

    async def stop(self) -> None:
        self._walk.close()

    async def streams(self) -> Sequence[str]:
        return (f"pop3://{self.settings.username}@{self.settings.host.lower()}/",)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        look_back = self.settings.look_back if self.settings.look_back is not None else self.spec.look_back
        return self._walk.pages(cursor, limit, look_back)

    async def check(self) -> Identity:
        visit = Visit(self.settings, self.context)
        try:
            await visit.enter()
            count, size = await visit.call(Session.stat)
            details = _details(visit.session, self.settings, count, size)
            await visit.leave()
        finally:
            visit.kill()
        details = (*details, *await self._sender.check())
        return Identity(account=f"{self.settings.username} at {self.settings.host}", details=details)

    async def reply(self, address: Address, text: str, key: str) -> None:
        await self._sender.send(address, text)


def _details(session: Session, settings: Pop3Settings, count: int, size: int) -> tuple[str, ...]:
    ids = "UIDL: mails are recognised by the server's ids"
    if not session.has_uidl:
        why = "as configured" if settings.identify == "header" else "no UIDL"
        ids = f"{why}: mails are recognised by header and size, whose headers are all read at every listing"
    details = [f"{count} mails, {size} bytes", ids]
    if "EXPIRE 0" in session.capabilities:
        details.append("EXPIRE 0: this server deletes mails once they were read, whatever is configured here")
    if session.capabilities:
        details.append("capabilities: " + ", ".join(sorted(session.capabilities)))
    return tuple(details)
