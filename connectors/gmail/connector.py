"""Mail over the Gmail API: history for what is new, raw messages for the mails, pushes as wakes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.connector import Address, Ask, ConnectorSpec, Hears, Identity, Reception, Request, Threading
from allears_sdk.context import Context
from allears_sdk.mail.composition import Mailbox, compose_answer
from allears_sdk.settings import ChannelSettings
from connectors._mail.api_connector import ApiMailConnector, make_walks
from connectors.gmail.api import GmailApi
from connectors.gmail.labels import Labels
from connectors.gmail.settings import GmailSettings
from connectors.gmail.source import LabelSource, check_account
from connectors.gmail.watch import Watch


class GmailConnector(ApiMailConnector[GmailSettings]):
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
        verified_zh="仅录制的应答",
    )
    Settings: ClassVar[type[ChannelSettings]] = GmailSettings

    def __init__(self, settings: GmailSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = GmailApi(settings, context)
        self._labels = Labels(self._api)
        self._watch = Watch(self._api, self._labels, context)
        sources = {
            stream_name(settings, label): LabelSource(self._api, self._labels, label) for label in settings.labels
        }
        self.walks = make_walks(sources, settings, context)

    async def before_poll(self, stream: str, hint: Mapping[str, Any]) -> None:
        await self._watch.keep()

    async def receive(self, request: Request) -> Reception:
        return self._watch.receive(request, tuple(self.walks))

    async def check(self) -> Identity:
        self._labels.forget()
        profile = await self._api.read("profile")
        check_account(profile, self.settings.mailbox)
        counts = [await self._labels.count(name) for name in self.settings.labels]
        heard = "push: heard at once" if self.settings.topic else "heard by polling"
        return Identity(account=self.settings.mailbox, details=(*counts, heard))

    async def reply(self, address: Address, text: str, key: str) -> None:
        ours = Mailbox(self.settings.mailbox, self.settings.sender_name)
        await self._api.send(compose_answer(address, text, ours))

    async def login(self, ask: Ask) -> None:
        await self._api.oauth.login(ask)


def stream_name(settings: GmailSettings, label: str) -> str:
    """Holds all that a position in the history depends on: mailbox, label."""
    return f"gmail://{settings.mailbox.lower()}/{label}"
