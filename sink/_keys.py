"""Which keys lie in a set of files: eight bytes for each."""

from __future__ import annotations

import mmap
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

_KEYS = re.compile(rb'"(?:delivery_key":"[^"\\]+"|marks":\[[^\]\\]+\])')
_KEY = re.compile(rb'(?<=[:\[,])"([^"]+)"')
_RECENT = 4096


class KeyIndex:
    """Sorted hashes, and a small set of recent ones that is merged in when it has grown."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._hashes = array("Q")
        self._recent: set[int] = set()
        for file in files:
            self._hashes.extend(_hashes_in(file))
        self._merge()

    def add(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            self._recent.update(map(_hash, keys_in(line)))
        if len(self._recent) > _RECENT:
            self._merge()

    def __contains__(self, key: str) -> bool:
        wanted = _hash(key.encode())
        place = bisect_left(self._hashes, wanted)
        return wanted in self._recent or (place < len(self._hashes) and self._hashes[place] == wanted)

    def _merge(self) -> None:
        self._hashes.extend(self._recent)
        self._hashes = array("Q", sorted(self._hashes))
        self._recent.clear()


def _hashes_in(file: Path) -> array[int]:
    """Customers' words cannot pass for a key: inside JSON text their quotes are escaped."""
    with file.open("rb") as opened:
        if not file.stat().st_size:
            return array("Q")
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return array("Q", map(_hash, keys_in(content)))


def keys_in(content: bytes | mmap.mmap) -> Iterator[bytes]:
    """Of each line its key, and its marks where it tells of several messages."""
    for match in _KEYS.finditer(content):
        yield from _KEY.findall(match[0])


def _hash(key: bytes) -> int:
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big")
