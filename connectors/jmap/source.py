"""One folder of a JMAP account: what is listed, how a mail is fetched, what is done to it at last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from allears_sdk.errors import ConfigError, Rejected, RetryLater, Unavailable
from connectors._mail.source import Listed, Mail, Page, Void
from connectors.jmap.api import Api, Method, MethodFailed
from connectors.jmap.faults import method_error
from connectors.jmap.mailboxes import Mailboxes
from connectors.jmap.session import MAX_OBJECTS

_PROPERTIES = ["id", "blobId", "size", "receivedAt", "mailboxIds"]
_SORT = [{"property": "receivedAt", "isAscending": True}]
_TRIES = 3
"""A listing whose pages shift under our hands is begun anew so often."""
_VOID = frozenset({"cannotCalculateChanges", "tooManyChanges"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMail(Listed):
    """With what fetching it needs."""

    blob: str
    size: int
    """Bytes."""


class FolderSource:
    """A folder, by the name it has in the settings."""

    settles_at_once = MAX_OBJECTS

    def __init__(self, api: Api, mailboxes: Mailboxes, folder: str) -> None:
        self._api = api
        self._mailboxes = mailboxes
        self._settings = api.settings
        self._folder = folder
        self.state = ""
        """Newest state of the account's mails that was read here or made by us: news of it is no news."""

    @property
    def place(self) -> Mapping[str, str]:
        return {"folder": self._folder}

    async def pages(self, position: str, since: datetime | None) -> AsyncIterator[Page]:
        pages = self._changes(position) if position else self._everything(since)
        async for page in pages:
            yield page

    # Listing

    async def _changes(self, state: str) -> AsyncIterator[Page]:
        """What was created or changed in the whole account since: a mail that was moved here has changed."""
        folder = (await self._mailboxes.find(self._folder)).id
        more = True
        while more:
            there, changes, created, updated = await self._ask_changes(folder, state)
            if there.get("notFound"):
                self._mailboxes.forget()
                raise Unavailable(f'the folder "{self._folder}" is gone')
            former, state = state, str(changes.get("newState", ""))
            more = bool(changes.get("hasMoreChanges"))
            if not state or (more and state == former):
                raise Unavailable("Email/changes does not get on")
            self.state = state
            listed = listed_in([*_objects(created), *_objects(updated)], folder)
            yield Page(listed=listed, position=state, ends=not more)

    async def _ask_changes(self, folder: str, state: str) -> list[dict[str, Any]]:
        count = await self._api.limit("maxObjectsInGet", MAX_OBJECTS)
        methods: list[Method] = [
            ("Mailbox/get", {"ids": [folder], "properties": ["id"]}),
            ("Email/changes", {"sinceState": state, "maxChanges": count}),
            ("Email/get", {"#ids": _result_of("1", "Email/changes", "/created"), "properties": _PROPERTIES}),
            ("Email/get", {"#ids": _result_of("1", "Email/changes", "/updated"), "properties": _PROPERTIES}),
        ]
        try:
            return await self._api.call(*methods)
        except MethodFailed as error:
            # Cyrus calls a state that it does not know an invalid argument.
            is_unknown = error.type == "invalidArguments" and "sinceState" in str(error.arguments)
            if error.type in _VOID or is_unknown:
                raise Void(error.type) from None
            raise method_error("Email/changes", error.error) from None

    async def _everything(self, since: datetime | None) -> AsyncIterator[Page]:
        """The folder from old to new. Changes are asked for from where things stood before it was listed."""
        state = str((await self._api.one("Email/get", ids=[])).get("state", ""))
        if not state:
            raise Unavailable("Email/get tells no state")
        folder = (await self._mailboxes.find(self._folder)).id
        for _ in range(_TRIES):
            position, last = 0, ""
            while True:
                ids, listed = await self._query(folder, since, position)
                if last and ids[:1] != [last]:
                    break  # mails before it were removed meanwhile: others have slipped past us
                yield Page(listed=listed)
                if len(ids) <= bool(last):
                    yield Page(position=state, ends=True)
                    return
                position, last = position + len(ids) - 1, ids[-1]
        raise Unavailable(f'the folder "{self._folder}" changes faster than it can be listed')

    async def _query(self, folder: str, since: datetime | None, position: int) -> tuple[list[str], list[ListedMail]]:
        """The mails from that place on; each page begins with the mail the one before it ended with."""
        chosen: dict[str, Any] = {"inMailbox": folder}
        if since is not None:
            chosen["after"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        limit = max(2, await self._api.limit("maxObjectsInGet", MAX_OBJECTS))
        methods: list[Method] = [
            ("Email/query", {"filter": chosen, "sort": _SORT, "position": position, "limit": limit}),
            ("Email/get", {"#ids": _result_of("0", "Email/query", "/ids"), "properties": _PROPERTIES}),
        ]
        try:
            queried, mails = await self._api.call(*methods)
        except MethodFailed as error:
            self._mailboxes.forget()
            raise method_error("Email/query", error.error) from None
        return [str(one) for one in queried.get("ids") or []], listed_in(_objects(mails), folder)

    # Fetching

    async def fetch(self, listed: Listed) -> Mail | None:
        if not isinstance(listed, ListedMail):
            raise TypeError(f"{listed!r} was not listed here")
        if listed.size > self._settings.max_mail_bytes:
            return await self._header(listed)
        body = await self._api.download(listed.blob, listed.size)
        if body is not None:
            return Mail(body=body, at=listed.at)
        if listed.id in await self._here([listed.id]):
            raise Rejected("the server lists this mail, but does not hand it over")
        return None

    async def _header(self, listed: ListedMail) -> Mail | None:
        answer = await self._api.one("Email/get", ids=[listed.id], properties=["headers"])
        for mail in _objects(answer):
            fields = [one for one in mail.get("headers") or [] if isinstance(one, dict)]
            lines = "".join(f"{one.get('name', '')}:{one.get('value', '')}\r\n" for one in fields)
            return Mail(body=f"{lines}\r\n".encode("utf-8", "replace"), at=listed.at, is_whole=False)
        return None

    # Afterwards

    async def settle(self, ids: Sequence[str], *, again: bool) -> None:
        """Raises Rejected or ConfigError for what the server refuses, after all others were done."""
        after = self._settings.after
        folders: Mapping[str, frozenset[str]] = dict.fromkeys(ids, frozenset())
        if again or after == "delete":
            folders = await self._here(ids)
        count = await self._api.limit("maxObjectsInSet", MAX_OBJECTS)
        changes, gone = await self._intended(folders)
        refused: list[Mapping[str, Any]] = []
        for chunk in _chunks([*changes], count):
            refused += await self._set(update={one: changes[one] for one in chunk})
        for chunk in _chunks(gone, count):
            refused += await self._set(destroy=[*chunk])
        if refused:
            fault = method_error("Email/set", refused[0])
            if isinstance(fault, ConfigError | RetryLater):
                raise fault
            raise Rejected(f"{len(refused)} mails: {fault}", detail=fault.detail)

    async def _intended(self, folders: Mapping[str, frozenset[str]]) -> tuple[dict[str, Any], list[str]]:
        """Which mails to change, and how; which to destroy. One that lies in other folders too only leaves ours."""
        folder = (await self._mailboxes.find(self._folder)).id
        if self._settings.after == "seen":
            return {mail: {"keywords/$seen": True} for mail in folders}, []
        if self._settings.after == "move":
            target = (await self._mailboxes.find(self._settings.move_to)).id
            return {mail: {f"mailboxIds/{folder}": None, f"mailboxIds/{target}": True} for mail in folders}, []
        shared = [mail for mail, places in folders.items() if len(places) > 1]
        alone = [mail for mail, places in folders.items() if len(places) <= 1]
        return {mail: {f"mailboxIds/{folder}": None} for mail in shared}, alone

    async def _set(self, **given: Any) -> list[Mapping[str, Any]]:
        """What was refused, without what is gone anyway."""
        answer = await self._api.one("Email/set", **given)
        if answer.get("oldState") == self.state:
            self.state = str(answer.get("newState", ""))
        failed = {**(answer.get("notUpdated") or {}), **(answer.get("notDestroyed") or {})}
        return [error for error in failed.values() if isinstance(error, dict) and error.get("type") != "notFound"]

    async def _here(self, ids: Sequence[str]) -> dict[str, frozenset[str]]:
        """Of these mails those that lie in this folder, and in which folders they are."""
        folder = (await self._mailboxes.find(self._folder)).id
        count = await self._api.limit("maxObjectsInGet", MAX_OBJECTS)
        places: dict[str, frozenset[str]] = {}
        for chunk in _chunks([*ids], count):
            answer = await self._api.one("Email/get", ids=[*chunk], properties=["id", "mailboxIds"])
            for mail in _objects(answer):
                places[str(mail.get("id"))] = frozenset(mail.get("mailboxIds") or {})
        return {mail: folders for mail, folders in places.items() if folder in folders}


def _result_of(call: str, name: str, path: str) -> dict[str, str]:
    return {"resultOf": call, "name": name, "path": path}


def _objects(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = answer.get("list")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def listed_in(mails: Iterable[Mapping[str, Any]], folder: str) -> list[ListedMail]:
    return [_one(mail) for mail in mails if folder in (mail.get("mailboxIds") or {})]


def _one(mail: Mapping[str, Any]) -> ListedMail:
    try:
        at = datetime.fromisoformat(str(mail["receivedAt"]))
        size = int(mail["size"])
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return ListedMail(id=str(mail["id"]), blob=str(mail["blobId"]), size=size, at=at, rank=int(at.timestamp()))
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable(
            f"mail {str(mail.get('id'))[:60]}: the server's Email/get makes no sense: {error!r}"
        ) from None


def _chunks(items: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))
