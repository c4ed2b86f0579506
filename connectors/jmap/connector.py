"""Mail over JMAP: changes for what is new, blobs for the mails, the server's event stream as wakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import ClassVar
from urllib.parse import urlsplit

from allears_sdk.connector import Address, Batch, ConnectorSpec, Hears, Identity, Threading, Wake
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected
from allears_sdk.mail.sender import Sender
from allears_sdk.remote.events import read_events
from allears_sdk.settings import ChannelSettings
from connectors._mail.api_connector import ApiMailConnector, make_walks
from connectors.jmap.api import Api
from connectors.jmap.events import mail_state
from connectors.jmap.mailboxes import Mailbox, Mailboxes
from connectors.jmap.settings import JmapSettings
from connectors.jmap.source import FolderSource

PING_SECONDS = 60
SILENCE_SECONDS = 190.0
"""Three pings missed: the connection is dead. RFC 8620 §7.3: servers take at least 30 to 300 as they are asked."""

_RIGHTS = {
    "seen": ("maySetSeen", 'may not mark mails as seen there: use after = "nothing"'),
    "move": ("mayRemoveItems", 'may not take mails out of it: use after = "seen" or "nothing"'),
    "delete": ("mayRemoveItems", 'may not delete mails in it: use after = "seen" or "nothing"'),
}


class JmapConnector(ApiMailConnector[JmapSettings]):
    """A mailbox. Its raws are mails byte for byte (`message/rfc822`), read by the core's own reader."""

    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="jmap",
        title_en="E-mail (JMAP)",
        title_zh="电子邮件(JMAP)",
        hears=frozenset({Hears.POLL, Hears.LISTEN}),
        threading=Threading.MAIL,
        look_back=timedelta(days=30),
        verified="Cyrus 3.6.1 (polling); push: a server of our own after RFC 8620 §7.3",
        verified_zh="Cyrus 3.6.1（轮询）；推送：按 RFC 8620 §7.3 自写的服务器",
    )
    Settings: ClassVar[type[ChannelSettings]] = JmapSettings

    def __init__(self, settings: JmapSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(settings, context)
        self._mailboxes = Mailboxes(self._api)
        self._sender = Sender(settings.outgoing, context)
        self._sources = {
            stream_name(settings, folder): FolderSource(self._api, self._mailboxes, folder)
            for folder in settings.folders
        }
        self.walks = make_walks(self._sources, settings, context)
        self._stopped = asyncio.Event()
        self._is_deaf = False

    async def stop(self) -> None:
        self._stopped.set()

    async def listen(self) -> AsyncIterator[Batch | Wake]:
        if self.settings.push:
            async with aclosing(self._news()) as news:
                async for state in news:
                    for stream, source in self._sources.items():
                        if not state or source.state != state:
                            yield Wake(stream=stream)
            if not self._is_deaf:
                return
        await self._stopped.wait()  # nothing to hear here: polls do it all

    async def _news(self) -> AsyncGenerator[str, None]:
        """ "" when the event stream stands, and the account's new state whenever mails have changed."""
        session = await self._api.session()
        account = session.account(self.settings.account)
        if not session.event_source_url:
            self._is_deaf = True
            return
        given = {"types": "Email", "closeafter": "no", "ping": str(PING_SECONDS)}
        url = session.endpoint(session.event_source_url, **given)
        headers = {**self._api.authorisation, "Accept": "text/event-stream"}
        try:
            async with self.context.remote.stream(url, headers=headers, silence_seconds=SILENCE_SECONDS) as stream:
                self._is_deaf = stream.media_type != "text/event-stream"
                if self._is_deaf:  # Cyrus without its push answers 204
                    return
                yield ""
                async for event in read_events(stream.chunks):
                    if state := mail_state(event, account):
                        yield state
        except Rejected as error:
            self._is_deaf = True
            self.context.log.info("mail_push_refused", reason=str(error))

    async def check(self) -> Identity:
        self._api.forget()
        self._mailboxes.forget()
        session = await self._api.session()
        account = session.account(self.settings.account)
        if session.accounts[account].is_read_only and self.settings.after != "nothing":
            raise ConfigError('this account is read-only for us: use after = "nothing"')
        found = [await self._mailboxes.find(folder) for folder in self.settings.folders]
        for name, mailbox in zip(self.settings.folders, found, strict=True):
            self._check_rights(name, mailbox)
        if self.settings.move_to and not (await self._mailboxes.find(self.settings.move_to)).may("mayAddItems"):
            raise ConfigError(f'this login may not put mails into "{self.settings.move_to}"')
        counts = [f"{one.name}: {one.total_emails} mails, {one.unread_emails} unread" for one in found]
        push = "push: heard at once, if the server permits" if session.event_source_url else "no push: heard by polling"
        sends = await self._sender.check()
        name = session.accounts[account].name or session.username or account
        return Identity(account=f"{name} at {urlsplit(session.base).netloc}", details=(*counts, push, *sends))

    async def reply(self, address: Address, text: str, key: str) -> None:
        await self._sender.send(address, text)

    def _check_rights(self, name: str, mailbox: Mailbox) -> None:
        if not mailbox.may("mayReadItems"):
            raise ConfigError(f'this login may not read the folder "{name}"')
        right, trouble = _RIGHTS.get(self.settings.after, ("", ""))
        if right and not mailbox.may(right):
            raise ConfigError(f'the folder "{name}": this login {trouble}')


def stream_name(settings: JmapSettings, folder: str) -> str:
    """Holds all that a state depends on: server, login, account, folder."""
    who = "/".join(part for part in (settings.username, settings.account) if part)
    return f"jmap://{who}@{urlsplit(settings.url).netloc.lower()}/{folder}"
