"""Mail over Microsoft Graph: delta queries for what is new, MIME for the mails, notifications as wakes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.connector import Address, Ask, ConnectorSpec, Hears, Identity, Reception, Request, Threading
from allears_sdk.context import Context
from allears_sdk.mail.composition import Mailbox, compose_answer
from allears_sdk.settings import ChannelSettings
from connectors._mail.api_connector import ApiMailConnector, make_walks
from connectors.graph_mail.api import GraphApi
from connectors.graph_mail.folders import Folders
from connectors.graph_mail.notices import Notices
from connectors.graph_mail.settings import GraphMailSettings
from connectors.graph_mail.source import FolderSource


class GraphMailConnector(ApiMailConnector[GraphMailSettings]):
    """A mailbox. Its raws are mails byte for byte (`message/rfc822`), read by the core's own reader."""

    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="graph_mail",
        title_en="Microsoft 365 mail (Graph)",
        title_zh="Microsoft 365 邮件(Graph)",
        hears=frozenset({Hears.POLL, Hears.RECEIVE}),
        threading=Threading.MAIL,
        answer_within_seconds=3,
        look_back=timedelta(days=30),
        verified="recorded fixtures only",
        verified_zh="仅录制的应答",
    )
    Settings: ClassVar[type[ChannelSettings]] = GraphMailSettings

    def __init__(self, settings: GraphMailSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = GraphApi(settings, context)
        self._folders = Folders(self._api)
        self._notices = Notices(self._api, self._folders, context)
        sources = {
            stream_name(settings, folder): FolderSource(self._api, self._folders, folder) for folder in settings.folders
        }
        self.walks = make_walks(sources, settings, context)

    async def before_poll(self, stream: str, hint: Mapping[str, Any]) -> None:
        await self._notices.keep(self.walks[stream].source.place["folder"], hint)

    async def receive(self, request: Request) -> Reception:
        return self._notices.receive(request, tuple(self.walks))

    async def check(self) -> Identity:
        self._folders.forget()
        account = await self._account()
        wanted = [*self.settings.folders, *([self.settings.move_to] if self.settings.move_to else [])]
        found = [await self._folders.find(name) for name in wanted]
        counts = [f"{folder.name}: {folder.total} mails, {folder.unread} unread" for folder in found]
        heard = "notifications: heard at once" if self.settings.notification_url else "heard by polling"
        return Identity(account=account, details=(*counts, heard))

    async def reply(self, address: Address, text: str, key: str) -> None:
        ours = Mailbox(await self._account(), self.settings.sender_name)
        await self._api.send_mail(compose_answer(address, text, ours))

    async def login(self, ask: Ask) -> None:
        await self._api.oauth.login(ask)

    async def _account(self) -> str:
        if self.settings.mailbox != "me":
            return self.settings.mailbox
        person = await self._api.get(f"{self._api.mailbox}?$select=userPrincipalName,mail")
        return str(person.get("mail") or person.get("userPrincipalName") or "me")


def stream_name(settings: GraphMailSettings, folder: str) -> str:
    """Holds all that a delta link depends on: cloud, mailbox, folder."""
    host = settings.url.partition("://")[2]
    return f"graph://{settings.mailbox.lower()}@{host}/{folder}"
