"""Mail over IMAP: one connection per mailbox, IDLE on its first folder, polls on all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.connector import (
    Address,
    Ask,
    Batch,
    Connector,
    ConnectorSpec,
    Cursor,
    Hears,
    Identity,
    Threading,
    Wake,
)
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError
from allears_sdk.mail.sender import Sender
from allears_sdk.settings import ChannelSettings, nearest
from connectors.email.account import Account
from connectors.email.faults import Broken
from connectors.email.line import Line
from connectors.email.session import Session
from connectors.email.settings import EmailSettings
from connectors.email.walk import Walk

ATTENTION_SECONDS = 3.0
"""After a wake the line is kept out of IDLE this long, so that the poll finds it free."""


class EmailConnector(Connector[EmailSettings]):
    """A mailbox. Its raws are mails byte for byte (`message/rfc822`), read by the core's own reader."""

    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="email",
        title_en="E-mail (IMAP)",
        title_zh="电子邮件(IMAP)",
        hears=frozenset({Hears.POLL, Hears.LISTEN}),
        threading=Threading.MAIL,
        look_back=timedelta(days=30),
        verified="Dovecot 2.3.19 (passwords and XOAUTH2), pymap 0.36.7",
        verified_zh="Dovecot 2.3.19（密码和 XOAUTH2）、pymap 0.36.7",
    )
    Settings: ClassVar[type[ChannelSettings]] = EmailSettings

    def __init__(self, settings: EmailSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._account = Account(settings, context)
        self._sender = Sender(settings.outgoing, context, self._account.oauth)
        self._line = Line(settings, context, self._account)
        self._walks = {
            stream_name(settings, folder): Walk(folder, self._line, settings, context) for folder in settings.folders
        }
        self._stopped = asyncio.Event()

    async def stop(self) -> None:
        self._stopped.set()
        self._line.close()

    async def streams(self) -> Sequence[str]:
        return tuple(self._walks)

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        look_back = self.settings.look_back if self.settings.look_back is not None else self.spec.look_back
        return self._walks[stream].pages(cursor, limit, look_back)

    async def listen(self) -> AsyncIterator[Batch | Wake]:
        folder = self.settings.folders[0]
        stream, lost = stream_name(self.settings, folder), False
        while self.settings.idle:
            try:
                news = await self._line.idle(folder)
            except Broken:
                if lost or self._stopped.is_set():
                    raise
                lost = True  # servers end long connections as they like; only a second loss in a row is a fault
                continue
            lost = False
            if news is None:
                break
            if news:
                self._line.attended.clear()
                yield Wake(stream=stream)
                await self._until_attended()
        await self._stopped.wait()  # nothing to hear here: polls do it all

    async def _until_attended(self) -> None:
        try:
            async with asyncio.timeout(ATTENTION_SECONDS):
                await self._line.attended.wait()
        except TimeoutError:
            return

    async def check(self) -> Identity:
        found = await self._account.enter(self._look)
        return replace(found, details=(*found.details, *await self._sender.check()))

    async def _look(self, token: str) -> Identity:
        session = Session(self.settings)
        try:
            return await self.context.blocking(session.run, _check, self.settings, token)
        finally:
            session.kill()

    async def reply(self, address: Address, text: str, key: str) -> None:
        await self._sender.send(address, text)

    async def login(self, ask: Ask) -> None:
        await self._account.login(ask)


def stream_name(settings: EmailSettings, folder: str) -> str:
    """Holds all that UIDs depend on: account, host, folder."""
    return f"imap://{settings.username}@{settings.host.lower()}/{folder}"


def _check(session: Session, settings: EmailSettings, token: str) -> Identity:
    session.open(token)
    names = session.folders()
    wanted = [*settings.folders, *([settings.move_to] if settings.move_to else [])]
    absent = [name for name in wanted if name not in names and name.upper() != "INBOX"]
    if absent:
        raise ConfigError(f'there is no folder "{absent[0]}"{nearest(absent[0], names)}')
    _check_removal(session, settings)
    counts = []
    for folder in settings.folders:
        session.select(folder, settings.after == "nothing")
        counts.append(f"{folder}: {session.exists} mails")
    idle = "IDLE: heard at once" if session.has("IDLE") else "no IDLE: heard by polling"
    details = (*counts, idle, "capabilities: " + " ".join(session.capabilities()))
    return Identity(account=f"{settings.username} at {settings.host}", details=details)


def _check_removal(session: Session, settings: EmailSettings) -> None:
    if settings.after == "delete" and not session.has("UIDPLUS"):
        raise ConfigError(f'{settings.host} cannot delete single mails (no UIDPLUS): use after = "seen"')
    if settings.after == "move" and not (session.has("UIDPLUS") or session.has("MOVE")):
        raise ConfigError(f'{settings.host} can neither MOVE nor UIDPLUS: use after = "seen"')
