"""The bytes of attachments: those that were fetched are kept, the others are read out of their raw again."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote

from allears.journal.journal import Journal
from allears.journal.records import ComplaintFile, StoredRaw
from allears_sdk.complaint import AttachedFile
from allears_sdk.errors import AllearsError, BadMessage, Rejected
from allears_sdk.message import Attachment, Message, Raw
from allears_sdk.signing import same

PATH = "/files/"
_SHA_DIGITS = 16
_SIGN_DIGITS = 32


class Parses(Protocol):
    def parse(self, name: str, raw: Raw) -> Sequence[Message]:
        """What the channel's connector reads in it. Raises AllearsError, and KeyError for an unknown channel."""


class Attachments:
    """`allears_sdk.context.Files`, for sinks and whoever opens a link. Without a `base_url` there are no links."""

    def __init__(self, journal: Journal, parses: Callable[[], Parses], *, base_url: str = "", key: bytes = b"") -> None:
        self._journal = journal
        self._parses = parses
        self._base_url = base_url.rstrip("/")
        self._key = key

    async def read(self, complaint_id: str, file: AttachedFile) -> bytes:
        found = await self._find(complaint_id, file.sha256, file.message)
        if found is None:
            raise Rejected(f"{file.name}: its bytes are no more")
        return found[1]

    def link(self, complaint_id: str, file: AttachedFile, until: datetime) -> str:
        if not self._base_url:
            return ""
        place = f"{complaint_id}/{file.sha256[:_SHA_DIGITS]}"
        stamp = int(until.timestamp())
        sign = self._sign(place, stamp)
        return f"{self._base_url}{PATH}{place}/{quote(file.name or 'file', safe='')}?until={stamp}&sign={sign}"

    async def opened(self, path: str, until: str, sign: str, now: datetime) -> tuple[str, bytes] | None:
        """(name, content) of what a link names; None where it was not made here, is too old, or its file is gone.
        `path`: what follows `PATH`."""
        complaint_id, _, rest = path.partition("/")
        digits = rest.partition("/")[0]
        if not until.isdecimal() or not same(self._sign(f"{complaint_id}/{digits}", int(until)), sign):
            return None
        if now > datetime.fromtimestamp(int(until), UTC):
            return None
        return await self._find(complaint_id, digits)

    async def content(self, file: ComplaintFile, message: int, place: int) -> bytes | None:
        """Of a complaint's message the attachment at that place; None where its bytes are not ours to give: skipped,
        still at the platform, or gone."""
        row = file.messages[message]
        attachment = row.message.attachments[place]
        content = await self._journal.fetches.content(file.record.id, attachment.sha256)
        if content is not None:
            return content
        stored = await self._journal.raw(row.raw_id)
        if stored is None:
            return None
        index = place + sum(
            len(other.message.attachments) for other in file.messages[:message] if other.raw_id == row.raw_id
        )
        return await asyncio.to_thread(self._read_out, stored, attachment, index)

    async def _find(self, complaint_id: str, sha256: str, message_id: str = "") -> tuple[str, bytes] | None:
        file = await self._journal.complaint(complaint_id) if sha256 else None
        for message, row in enumerate(file.messages if file else ()):
            for place, attachment in enumerate(row.message.attachments):
                is_it = attachment.sha256.startswith(sha256) and message_id in ("", row.message.external_id)
                content = await self.content(file, message, place) if is_it and file else None
                if content is not None:
                    return attachment.shown_name, content
        return None

    def _read_out(self, stored: StoredRaw, attachment: Attachment, index: int) -> bytes | None:
        if attachment.content is not None:
            return attachment.content
        try:
            content = self._read_again(stored, index)
        except (AllearsError, KeyError):
            return None
        is_another = attachment.sha256 and attachment.sha256 != hashlib.sha256(content).hexdigest()
        return None if is_another else content  # better none than another one's

    def _read_again(self, stored: StoredRaw, index: int) -> bytes:
        from normalizer.readers import attachment_content, can_read

        if can_read(stored.raw.media_type):
            return attachment_content(stored.raw, index)
        messages = self._parses().parse(stored.channel, stored.raw)
        found = [one for message in messages for one in message.attachments]
        content = found[index].content if index < len(found) else None
        if content is None:
            raise BadMessage(f"no bytes of attachment {index}")
        return content

    def _sign(self, place: str, until: int) -> str:
        return hmac.new(self._key, f"{place}\n{until}".encode(), "sha256").hexdigest()[:_SIGN_DIGITS]
