"""Envelope addresses: compared, and made fit to be kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv6Address, ip_address

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def readable(address: str) -> str:
    """As it was said on the wire, without control characters and without what is no UTF-8."""
    text = address.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _CONTROL.sub("", text)


def fold_domain(domain: str) -> str:
    """Lower-case, in its ASCII form; empty for what is no domain."""
    try:
        return domain.strip().rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""


def fold_recipient(recipient: str) -> str:
    """An address or a domain in the form in which two of them are compared."""
    local, at, domain = recipient.strip().rpartition("@")
    return f"{local.casefold()}{at}{fold_domain(domain)}"


def is_among(address: str, recipients: Collection[str]) -> bool:
    """`recipients` are folded. An address with a tag (`support+4711@…`) is the address without it."""
    local, at, domain = fold_recipient(readable(address)).rpartition("@")
    if not (at and local and domain):
        return False
    forms = (domain, f"{local}@{domain}", f"{local.partition('+')[0]}@{domain}")
    return any(form in recipients for form in forms)


def client_address(peer: object) -> str:
    """A socket's peer → its IP address without scope, an IPv4 one in its own form; empty for a Unix socket."""
    if not isinstance(peer, tuple | list) or not peer:
        return ""
    try:
        address = ip_address(str(peer[0]).partition("%")[0])
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
