"""One folder of a mailbox: what changed in it, its mails as MIME, and what becomes of them.

"message: delta", "Get incremental changes to messages in a folder", "Get MIME content of a message".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from allears_sdk.errors import Rejected, Unavailable
from connectors._mail.authorised import AT_ONCE, for_each
from connectors._mail.raw import header_block
from connectors._mail.source import Gone, Listed, Mail, Page, Void
from connectors.graph_mail.api import GraphApi
from connectors.graph_mail.folders import Folders


class FolderSource:
    """Its positions are the links Graph gives: to the next page, or to the changes that come after."""

    settles_at_once = AT_ONCE

    def __init__(self, api: GraphApi, folders: Folders, name: str) -> None:
        self._api = api
        self._folders = folders
        self._name = name
        self.place: Mapping[str, str] = {"mailbox": api.settings.mailbox, "folder": name}

    async def pages(self, position: str, since: datetime | None) -> AsyncIterator[Page]:
        """Everything in the folder, then what changed. Graph could leave out what is older than `since`, but such a
        list ends after 5,000 mails, now and whenever it goes on: the walk leaves it out instead."""
        link = position or await self._beginning()
        while link:
            body = await self._follow(link, is_stored=link == position)
            link = str(body.get("@odata.nextLink") or "")
            rest = str(body.get("@odata.deltaLink") or "")
            if not (link or rest):
                raise Unavailable("Graph's list of changes neither goes on nor ends")
            listed = [_listed(item) for item in body.get("value", ()) if item.get("id") and "@removed" not in item]
            yield Page(listed=listed, position=link or rest, ends=not link)

    async def fetch(self, listed: Listed) -> Mail | None:
        try:
            at = listed.at or await self._received(listed.id)
            limit = self._api.settings.max_mail_bytes
            answer = await self._api.bytes_of(listed.id, limit)
        except Void as error:  # 410 for a single mail
            raise Gone(str(error)) from None
        if not answer.content:
            raise Unavailable("Graph hands over an empty mail")
        if answer.is_cut:
            return Mail(body=header_block(answer.content), at=at, is_whole=False)
        return Mail(body=answer.content, at=at)

    async def settle(self, ids: Sequence[str], *, again: bool) -> None:
        await for_each(ids, self._settle_again if again else self._settle)

    async def _settle_again(self, message_id: str) -> None:
        folder = await self._folders.find(self._name)
        body = await self._api.get(f"{self._api.message_url(message_id)}?$select=parentFolderId")
        if body.get("parentFolderId") == folder.id:
            await self._settle(message_id)

    async def _settle(self, message_id: str) -> None:
        """Deleting twice would delete for good, an immutable id being valid in Deleted Items too; moving does not."""
        url, settings = self._api.message_url(message_id), self._api.settings
        if settings.after == "seen":
            await self._api.send("PATCH", url, {"isRead": True})
            return
        target = "deleteditems" if settings.after == "delete" else (await self._folders.find(settings.move_to)).id
        await self._api.send("POST", f"{url}/move", {"destinationId": target})

    async def _beginning(self) -> str:
        folder = await self._folders.find(self._name)
        return f"{self._api.folder_url(folder.id)}/messages/delta?$select=receivedDateTime"

    async def _follow(self, link: str, *, is_stored: bool) -> Mapping[str, Any]:
        """A stored link that Graph refuses, whatever it says, is of no use: the folder may have been made anew."""
        try:
            return await self._api.get(link)
        except Rejected as error:
            self._folders.forget()
            if is_stored:
                raise Void(str(error)) from None
            raise

    async def _received(self, message_id: str) -> datetime | None:
        body = await self._api.get(f"{self._api.message_url(message_id)}?$select=receivedDateTime")
        return _moment(body.get("receivedDateTime"))


def _listed(item: Mapping[str, Any]) -> Listed:
    at = _moment(item.get("receivedDateTime"))
    return Listed(id=str(item["id"]), at=at, rank=int(at.timestamp()) if at else 0)


def _moment(text: Any) -> datetime | None:
    """`2018-08-12T08:43:22Z`; times without an offset are UTC."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
