"""Folders by the names people give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from allears_sdk.errors import ConfigError, Rejected
from allears_sdk.settings import nearest
from connectors.graph_mail.api import GraphApi

FIELDS = "$select=id,displayName,totalItemCount,unreadItemCount"
WELL_KNOWN = frozenset(
    {"archive", "clutter", "conversationhistory", "deleteditems", "drafts", "inbox", "junkemail", "sentitems"}
)
"""Of "mailFolder resource type": names that are the same in every language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    id: str
    name: str
    total: int = 0
    unread: int = 0


class Folders:
    """Looked up once; `forget` what may have changed."""

    def __init__(self, api: GraphApi) -> None:
        self._api = api
        self._found: dict[str, Folder] = {}

    async def find(self, path: str) -> Folder:
        """Raises ConfigError where there is none, with the nearest name."""
        if path not in self._found:
            self._found[path] = await self._find(path)
        return self._found[path]

    def forget(self) -> None:
        self._found.clear()

    async def _find(self, path: str) -> Folder:
        first, *rest = [name.strip() for name in path.split("/")]
        if first.casefold() in WELL_KNOWN:
            folder = await self._well_known(first.casefold(), path)
        else:
            folder = await self._inside(f"{self._api.mailbox}/mailFolders", first, path)
        for name in rest:
            folder = await self._inside(f"{self._api.folder_url(folder.id)}/childFolders", name, path)
        return folder

    async def _well_known(self, name: str, path: str) -> Folder:
        try:
            return _folder(await self._api.get(f"{self._api.mailbox}/mailFolders/{name}?{FIELDS}"))
        except Rejected as error:
            raise ConfigError(f'there is no folder "{path}" in {self._api.settings.mailbox} ({error})') from None

    async def _inside(self, url: str, name: str, path: str) -> Folder:
        folders = await self._list(f"{url}?{FIELDS}&$top=100")
        for folder in folders:
            if folder.name.casefold() == name.casefold():
                return folder
        hint = nearest(name, [folder.name for folder in folders])
        raise ConfigError(f'there is no folder "{path}" in {self._api.settings.mailbox}{hint}')

    async def _list(self, url: str) -> list[Folder]:
        folders: list[Folder] = []
        while url:
            page = await self._api.get(url)
            folders += [_folder(item) for item in page.get("value", ())]
            url = str(page.get("@odata.nextLink") or "")
        return folders


def _folder(item: Mapping[str, Any]) -> Folder:
    return Folder(
        id=str(item.get("id", "")),
        name=str(item.get("displayName", "")),
        total=int(item.get("totalItemCount") or 0),
        unread=int(item.get("unreadItemCount") or 0),
    )
