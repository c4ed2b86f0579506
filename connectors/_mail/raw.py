"""One mail as raw, however it came. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from allears_sdk.message import RFC822, Raw

_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")


def header_block(body: bytes) -> bytes:
    """The header with the empty line that ends it, as IMAP's `BODY[HEADER]` and POP3's `TOP n 0` give it."""
    if body.startswith((b"\r\n", b"\n")):
        return body[: body.index(b"\n") + 1]
    end = _END_OF_HEADER.search(body)
    return body[: end.end()] if end else body


def relayed_key(header: bytes, size: int) -> str:
    """The raw key of a mail kept at a server, which lists header and size (in bytes): one that is listed again
    under another number is known without its body."""
    return sha256(header + b"\0" + str(size).encode()).hexdigest()


def mail_raw(key: str, body: bytes, received_at: datetime, *, context: Mapping[str, Any], quarantine: str = "") -> Raw:
    """The digest covers the whole: a second mail with the same key but other words is not lost."""
    return Raw(
        key=key,
        digest=sha256(body).hexdigest(),
        body=body,
        media_type=RFC822,
        received_at=received_at,
        quarantine=quarantine,
        context=dict(context),
    )
