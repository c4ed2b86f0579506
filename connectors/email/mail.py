"""What a folder lists, as raws: mails read whole, mails too large, mails the server does not hand over. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allears_sdk.connector import Missing
from allears_sdk.message import Raw
from connectors._mail.raw import header_block, mail_raw, relayed_key


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


def whole(listed: Listed, body: bytes, place: Place) -> Raw:
    return _raw(listed, header_block(body), body, place)


def oversized(listed: Listed, header: bytes, limit: int, place: Place) -> Raw:
    reason = f"larger than {limit} bytes: {listed.size}; only the header was read (UID {listed.uid} in {place.folder})"
    return _raw(listed, header, header, place, reason)


def _raw(listed: Listed, header: bytes, body: bytes, place: Place, quarantine: str = "") -> Raw:
    received_at = min(listed.at, place.now) if listed.at else place.now
    key = relayed_key(header, listed.size)
    return mail_raw(key, body, received_at, context={"folder": place.folder}, quarantine=quarantine)


def missing(listed: Listed, place: Place, reason: str) -> Missing:
    locator: dict[str, Any] = {
        "folder": place.folder,
        "uidvalidity": place.uid_validity,
        "uid": listed.uid,
        "size": listed.size,
    }
    return Missing(key=f"uid:{place.folder}:{place.uid_validity}:{listed.uid}", reason=reason, locator=locator)
