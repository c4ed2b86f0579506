"""The account's folders, found by role or by the name people see."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from allears_sdk.codec import convert
from allears_sdk.errors import ConfigError, Unavailable
from allears_sdk.settings import nearest
from connectors.jmap.api import Api

_PROPERTIES = ["id", "name", "role", "parentId", "totalEmails", "unreadEmails", "myRights"]
MAX_DEPTH = 50


class Mailbox(msgspec.Struct, frozen=True, rename="camel"):
    """RFC 8621 §2, as far as it is used."""

    id: str
    name: str = ""
    role: str | None = None
    parent_id: str | None = None
    total_emails: int = 0
    unread_emails: int = 0
    my_rights: dict[str, bool] | None = None

    def may(self, right: str) -> bool:
        """A server that tells no rights is taken to permit it."""
        return self.my_rights is None or bool(self.my_rights.get(right, True))


class Mailboxes:
    """Ids are looked up once: they outlive a renaming."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._found: dict[str, Mailbox] = {}

    async def find(self, name: str) -> Mailbox:
        """By role first, then by path. Raises ConfigError naming the nearest."""
        if name not in self._found:
            answer = await self._api.one("Mailbox/get", ids=None, properties=_PROPERTIES)
            try:
                listed = convert(answer.get("list"), list[Mailbox])
            except ValueError as error:
                raise Unavailable("the server's list of folders makes no sense", detail=str(error)) from None
            self._found[name] = _choose(name, listed)
        return self._found[name]

    def forget(self) -> None:
        self._found.clear()


def _choose(name: str, listed: list[Mailbox]) -> Mailbox:
    paths = {one.id: _path(one, {other.id: other for other in listed}) for one in listed}
    for one in listed:
        if one.role and one.role == name.lower():
            return one
    for same in (str, str.casefold):
        for one in listed:
            if same(paths[one.id]) == same(name):
                return one
    roles = [one.role for one in listed if one.role]
    raise ConfigError(f'there is no folder "{name}"{nearest(name, [*paths.values(), *roles])}')


def _path(mailbox: Mailbox, by_id: Mapping[str, Mailbox]) -> str:
    names, above = [mailbox.name], mailbox.parent_id
    while above is not None and above in by_id and len(names) < MAX_DEPTH:
        names.append(by_id[above].name)
        above = by_id[above].parent_id
    return "/".join(reversed(names))
