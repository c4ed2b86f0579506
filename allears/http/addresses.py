"""Whose request it is: the peer's address, or what a trusted proxy says of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


class Proxies:
    """The proxies whose `X-Forwarded-For` counts."""

    def __init__(self, trusted: Iterable[str | Network]) -> None:
        """Raises ValueError for what is no network."""
        self._networks: tuple[Network, ...] = tuple(ip_network(str(network), strict=False) for network in trusted)
        self._trusts = lru_cache(maxsize=1024)(self._look_up)

    def trusts(self, peer: str) -> bool:
        return bool(self._networks) and self._trusts(peer)

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """The nearest address that is not a trusted proxy's: what is further left in `X-Forwarded-For` anybody can
        write. `forwarded` holds the header's values in the order they came."""
        address = peer
        for hop in reversed(",".join(forwarded).split(",")):
            if not self.trusts(address):
                return address
            found = parse_hop(hop)
            if found is None:
                return address
            address = str(found)
        return address

    def _look_up(self, peer: str) -> bool:
        address = parse_hop(peer)
        return address is not None and any(address in network for network in self._networks)


def parse_hop(text: str) -> Address | None:
    """`1.2.3.4`, `1.2.3.4:5678`, `[::1]:80`, `::ffff:1.2.3.4` → the address; None for anything else."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=4096)
def neighbourhood(address: str) -> str:
    """What is limited together: an IPv4 address, the /64 of an IPv6 one (one customer's line)."""
    parsed = parse_hop(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False).network_address)
    return str(parsed or address)
