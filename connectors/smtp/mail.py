"""A mail as it came over the wire: cut out of the stream, looked at for loops, made a raw. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from allears_sdk.message import RFC822, Raw
from allears_sdk.reference import OWN_MAIL_HEADER
from connectors._mail.raw import header_block
from connectors.smtp.address import readable

END = b"\r\n.\r\n"
MAX_HEADER_BYTES = 1 << 20
"""Looked at for loops."""
_RECEIVED = re.compile(rb"^received[ \t]*:", re.MULTILINE | re.IGNORECASE)
_OWN = re.compile(rb"^%s[ \t]*:" % OWN_MAIL_HEADER.encode(), re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who hands a mail over."""

    address: str
    """IP address; empty on a Unix socket."""
    helo: str
    is_encrypted: bool
    login: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    mail_from: str
    """`<>` for the null sender of bounces, as it stands on the wire."""
    recipients: Sequence[str]


def is_whole(received: bytearray) -> bool:
    """Whether a line with nothing but a dot ends it. Lines end in CR LF and in nothing else: a bare LF would let a
    sender smuggle in a second mail."""
    return received.endswith(END) or received == END[2:]


def unstuff(received: bytearray) -> bytes:
    """What `is_whole` → the mail itself. RFC 5321, 4.5.2: a dot that begins a line was doubled on the way."""
    del received[-3:]
    if received.startswith(b"."):
        del received[:1]
    return bytes(received.replace(b"\r\n.", b"\r\n")) if b"\r\n." in received else bytes(received)


def loop_in(mail: bytes, max_hops: int) -> str:
    """Why this mail goes round in circles, or ""."""
    header = header_block(mail[:MAX_HEADER_BYTES])
    if _OWN.search(header):
        return "this is our own mail"
    if len(_RECEIVED.findall(header)) > max_hops:
        return f"more than {max_hops} servers have passed it on"
    return ""


def raw_of(mail: bytes, envelope: Envelope, client: Client, received_at: datetime) -> Raw:
    """Known by its bytes alone: a sender that heard no 250 repeats them."""
    facts: dict[str, Any] = {
        "mail_from": readable(envelope.mail_from),
        "recipients": [readable(recipient) for recipient in envelope.recipients],
        "client": client.address,
        "helo": readable(client.helo),
        "tls": client.is_encrypted,
    }
    if client.login:
        facts["login"] = client.login
    return Raw(
        key=f"sha256:{sha256(mail).hexdigest()}",
        body=mail,
        media_type=RFC822,
        received_at=received_at,
        context=facts,
    )
