"""One label of a mailbox: what came into it, its mails as they arrived, and what becomes of them.

"users.history.list", "users.messages.list", "users.messages.get" of the Gmail API reference.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from allears_sdk.errors import ConfigError, Rejected, Unavailable
from connectors._mail.authorised import AT_ONCE, for_each
from connectors._mail.raw import header_block
from connectors._mail.source import Listed, Mail, Page, Void
from connectors.gmail.api import GmailApi
from connectors.gmail.labels import Labels

PAGE_ITEMS = 500
MOST_MODIFIED = 1000
_HIDDEN = frozenset({"SPAM", "TRASH"})
_SLACK_BYTES = 64 << 10
"""What a message's JSON holds besides its bytes."""


class LabelSource:
    """Its positions are ids of the mailbox's history."""

    def __init__(self, api: GmailApi, labels: Labels, name: str) -> None:
        self._api = api
        self._labels = labels
        self._name = name
        self.settles_at_once = AT_ONCE if api.settings.after == "trash" else MOST_MODIFIED
        self.place: Mapping[str, str] = {"mailbox": api.settings.mailbox, "folder": name}

    def pages(self, position: str, since: datetime | None) -> AsyncIterator[Page]:
        return self._history(position) if position else self._all(since)

    async def _all(self, since: datetime | None) -> AsyncIterator[Page]:
        """Everything under the label; history goes on from before it was listed."""
        start = await self._start()
        label, token = await self._labels.find(self._name), ""
        given = {"labelIds": label, "maxResults": PAGE_ITEMS}
        given["q"] = f"after:{int(since.timestamp()) - 1}" if since is not None else ""
        given["includeSpamTrash"] = "true" if label in _HIDDEN else ""
        while True:
            found = await self._api.read("messages", **given, pageToken=token)
            token = str(found.get("nextPageToken") or "")
            listed = [_listed(message) for message in found.get("messages", ()) if message.get("id")]
            yield Page(listed=listed, position="" if token else start, ends=not token)
            if not token:
                return

    async def _history(self, position: str) -> AsyncIterator[Page]:
        """Mails that came in, or that people or filters put under the label later."""
        label, token, reached = await self._labels.find(self._name), "", position
        while True:
            found = await self._changes(label, position, token)
            token = str(found.get("nextPageToken") or "")
            records = found.get("history", ())
            reached = str(records[-1].get("id") or reached) if records else reached
            listed = [_listed(message) for record in records for message in _added(record, label)]
            if not token:
                reached = str(found.get("historyId") or reached)
            yield Page(listed=listed, position=reached, ends=not token)
            if not token:
                return

    async def _changes(self, label: str, position: str, token: str) -> Mapping[str, Any]:
        try:
            return await self._api.read(
                "history",
                startHistoryId=position,
                labelId=label,
                historyTypes=["messageAdded", "labelAdded"],
                maxResults=PAGE_ITEMS,
                pageToken=token,
            )
        except Rejected as error:  # 404: too old. Whatever it says: it is of no use any more
            self._labels.forget()
            raise Void(str(error)) from None

    async def _start(self) -> str:
        profile = await self._api.read("profile")
        check_account(profile, self._api.settings.mailbox)
        start = str(profile.get("historyId") or "")
        if not start:
            raise Unavailable("Gmail's profile holds no historyId")
        return start

    async def fetch(self, listed: Listed) -> Mail | None:
        limit = self._api.settings.max_mail_bytes
        message = await self._api.get(f"messages/{listed.id}", cut_at=limit * 4 // 3 + _SLACK_BYTES, format="raw")
        if message is None:
            return await self._header(listed)
        if "DRAFT" in message.get("labelIds", ()):
            return None  # somebody is writing it; sent, it is another mail
        body = _bytes(message.get("raw"))
        at = _moment(message.get("internalDate"))
        if len(body) > limit:
            return Mail(body=header_block(body), at=at, is_whole=False)
        return Mail(body=body, at=at)

    async def _header(self, listed: Listed) -> Mail:
        """As Gmail lists it: decoded, not byte for byte."""
        message = await self._api.read(f"messages/{listed.id}", format="metadata")
        fields = message.get("payload", {}).get("headers", ())
        lines = "".join(f"{field.get('name', '')}: {field.get('value', '')}\r\n" for field in fields)
        return Mail(body=f"{lines}\r\n".encode(), at=_moment(message.get("internalDate")), is_whole=False)

    async def settle(self, ids: Sequence[str], *, again: bool) -> None:
        """A label is taken from all of them in one request, and twice is the same as once."""
        if self._api.settings.after == "trash":
            await for_each(ids, self._trash_again if again else self._trash)
            return
        change = {"removeLabelIds": [await self._gone_label()]}
        try:
            await self._api.post("messages/batchModify", {"ids": list(ids), **change})
        except Rejected:  # perhaps for one of them alone
            await for_each(ids, lambda one: self._modify(one, change))

    async def _gone_label(self) -> str:
        return "UNREAD" if self._api.settings.after == "seen" else await self._labels.find(self._name)

    async def _modify(self, message_id: str, change: Mapping[str, Any]) -> None:
        await self._api.post(f"messages/{message_id}/modify", change)

    async def _trash_again(self, message_id: str) -> None:
        message = await self._api.read(f"messages/{message_id}", format="minimal")
        if await self._labels.find(self._name) in message.get("labelIds", ()):
            await self._trash(message_id)

    async def _trash(self, message_id: str) -> None:
        await self._api.post(f"messages/{message_id}/trash")


def check_account(profile: Mapping[str, Any], mailbox: str) -> None:
    """Raises ConfigError: one account's history ids mean nothing in another."""
    account = str(profile.get("emailAddress", ""))
    if account.casefold() != mailbox.casefold():
        raise ConfigError(f'the login is for {account}, not {mailbox}: log in as that account, or set mailbox = "…"')


def _added(record: Mapping[str, Any], label: str) -> Iterator[Mapping[str, Any]]:
    for added in record.get("messagesAdded", ()):
        yield added.get("message", {})
    for added in record.get("labelsAdded", ()):
        if label in added.get("labelIds", ()):
            yield added.get("message", {})


def _listed(message: Mapping[str, Any]) -> Listed:
    """Gmail's ids are hexadecimal and have grown with time so far; only the order of reading rests on it."""
    message_id = str(message.get("id", ""))
    try:
        rank = int(message_id, 16)
    except ValueError:
        rank = 0
    return Listed(id=message_id, rank=rank)


def _bytes(raw: Any) -> bytes:
    """RFC 4648 base64url, with padding or without."""
    if not isinstance(raw, str) or not raw:
        raise Unavailable("Gmail hands over a mail without its bytes")
    try:
        return base64.b64decode(raw.rstrip("=") + "=" * (-len(raw.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Unavailable("Gmail hands over a mail in an encoding that is not base64url") from None


def _moment(milliseconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
