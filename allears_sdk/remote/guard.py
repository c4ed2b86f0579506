"""Keeps URLs that others supply out of private networks.

Every address a name resolves to is checked by the resolver that the connection then uses, so that a name cannot
change its mind in between. Behind a proxy the proxy resolves names: there only literal addresses are checked here.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from allears_sdk.errors import Rejected

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NUMERIC_LABEL = re.compile(r"(?:\d+|0[xX][0-9a-fA-F]*)$")


class PrivateAddress(Rejected):
    """The URL leads into a private network."""


def host_of(url: str) -> str:
    """The host of an http(s) URL. Raises Rejected for anything else."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in {"http", "https"} or any(letter.isspace() for letter in host):
        raise Rejected("not a URL we can call")
    return host


def check_url(url: str) -> None:
    """Refuses what is not http(s), and hosts that are literal private addresses. Raises Rejected, PrivateAddress."""
    host = host_of(url)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if _NUMERIC_LABEL.match(host.rstrip(".").rpartition(".")[2]):  # 127.1, 0x7f000001: old spellings of addresses
            raise PrivateAddress(f"{host} is not a plain address") from None
        return
    check_address(address, host)


def check_address(address: _Address, host: str) -> None:
    """Raises PrivateAddress for anything that is not a public unicast address, however it is wrapped."""
    if any(not inner.is_global or inner.is_multicast for inner in (address, *_inside(address))):
        raise PrivateAddress(f"{host} leads into a private network")


def _inside(address: _Address) -> list[_Address]:
    """IPv4 addresses that an IPv6 address carries."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    carried: list[_Address] = [inner for inner in (address.ipv4_mapped, address.sixtofour) if inner]
    carried.extend(address.teredo or ())
    if address in _NAT64:
        carried.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return carried


def guarded_resolver(inner: AbstractResolver | None = None) -> AbstractResolver:
    """An aiohttp resolver that refuses names with any private address."""
    import socket

    from aiohttp.abc import AbstractResolver, ResolveResult
    from aiohttp.resolver import DefaultResolver

    resolver = inner or DefaultResolver()

    class Guarded(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            results = await resolver.resolve(host, port, family)
            for result in results:
                check_address(ipaddress.ip_address(result["host"].partition("%")[0]), host)
            return results

        async def close(self) -> None:
            await resolver.close()

    return Guarded()
