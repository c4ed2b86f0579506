"""Mail over the Gmail API: history for what is new, raw messages for the mails, pushes as wakes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
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
    Reception,
    Request,
    Threading,
)
from allears_sdk.context import Context
from allears_sdk.settings import ChannelSettings
from connectors._mail.api_walk import ApiWalk
from connectors._mail.composition import Mailbox, compose, recipient_of
from connectors.gmail.api import GmailApi
from connectors.gmail.labels import Labels
from connectors.gmail.settings import GmailSettings
from connectors.gmail.source import LabelSource, check_account
from connectors.gmail.watch import Watch


class GmailConnector(Connector[GmailSettings]):
    """A mailbox. Its raws are mails byte for byte (`message/rfc822`), read by the core's own reader."""

    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="gmail",
        title_en="Gmail (API)",
        title_zh="Gmail(API)",
        hears=frozenset({Hears.POLL, Hears.RECEIVE}),
        threading=Threading.MAIL,
        answer_within_seconds=10,
        look_back=timedelta(days=30),
        verified="recorded fixtures only",
    )
    Settings: ClassVar[type[ChannelSettings]] = GmailSettings

    def __init__(self, settings: GmailSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = GmailApi(settings, context)
        self._labels = Labels(self._api)
        self._watch = Watch(self._api, self._labels, context)
        self._walks = {f"gmail://{settings.mailbox.lower()}/{label}": self._walk(label) for label in settings.labels}

    async def streams(self) -> Sequence[str]:
        return tuple(self._walks)

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        look_back = self.settings.look_back if self.settings.look_back is not None else self.spec.look_back
        await self._watch.keep()
        async for batch in self._walks[stream].batches(cursor, limit, look_back):
            yield batch

    async def receive(self, request: Request) -> Reception:
        return self._watch.receive(request, tuple(self._walks))

    async def check(self) -> Identity:
        self._labels.forget()
        profile = await self._api.read("profile")
        check_account(profile, self.settings.mailbox)
        counts = [await self._labels.count(name) for name in self.settings.labels]
        heard = "push: heard at once" if self.settings.topic else "heard by polling"
        return Identity(account=self.settings.mailbox, details=(*counts, heard))

    async def reply(self, address: Address, text: str, key: str) -> None:
        ours = Mailbox(self.settings.mailbox, self.settings.sender_name)
        recipient = recipient_of(address, (ours.address,))
        await self._api.send(compose(address, text, recipient, ours, bounces=True))

    async def login(self, ask: Ask) -> None:
        await self._api.oauth.login(ask)

    def _walk(self, label: str) -> ApiWalk:
        return ApiWalk(
            LabelSource(self._api, self._labels, label),
            self.context,
            max_mail_bytes=self.settings.max_mail_bytes,
            settles=self.settings.after != "nothing",
        )
