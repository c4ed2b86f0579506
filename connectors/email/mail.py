"""One mail as raw: its key, its digest, and what is said of one that was not read whole. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from allears_sdk.connector import Missing
from allears_sdk.message import RFC822, Raw

_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a server's listing says of one mail."""

    uid: int
    size: int
    """Bytes, RFC822.SIZE."""
    at: datetime | None
    """Aware, INTERNALDATE: when the server received it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where mails of one page lie, and the time now."""

    folder: str
    uid_validity: int
    now: datetime


def header_block(body: bytes) -> bytes:
    """What `BODY[HEADER]` gives: the header with the empty line that ends it."""
    if body.startswith((b"\r\n", b"\n")):
        return body[: body.index(b"\n") + 1]
    end = _END_OF_HEADER.search(body)
    return body[: end.end()] if end else body


def key(header: bytes, size: int) -> str:
    """A mail's raw key: one that is listed again under another UID is known without its body."""
    return sha256(header + b"\0" + str(size).encode()).hexdigest()


def whole(listed: Listed, body: bytes, place: Place) -> Raw:
    # The digest covers the whole: a second mail with the same header and size but other words is not lost.
    return _raw(listed, header_block(body), body, place)


def oversized(listed: Listed, header: bytes, limit: int, place: Place) -> Raw:
    reason = f"larger than {limit} bytes: {listed.size}; only the header was read (UID {listed.uid} in {place.folder})"
    return _raw(listed, header, header, place, reason)


def _raw(listed: Listed, header: bytes, body: bytes, place: Place, quarantine: str = "") -> Raw:
    return Raw(
        key=key(header, listed.size),
        digest=sha256(body).hexdigest(),
        body=body,
        media_type=RFC822,
        received_at=min(listed.at, place.now) if listed.at else place.now,
        quarantine=quarantine,
        context={"folder": place.folder},
    )


def missing(listed: Listed, place: Place, reason: str) -> Missing:
    locator: dict[str, Any] = {
        "folder": place.folder,
        "uidvalidity": place.uid_validity,
        "uid": listed.uid,
        "size": listed.size,
    }
    return Missing(key=f"uid:{place.folder}:{place.uid_validity}:{listed.uid}", reason=reason, locator=locator)
