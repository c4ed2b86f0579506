"""Which keys lie in a set of files: eight bytes for each."""

from __future__ import annotations

import mmap
import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

_KEYS = re.compile(rb'"(?:delivery_key":"[^"\\]+"|marks":\[[^\]\\]+\])')
_KEY = re.compile(rb'(?<=[:\[,])"([^"]+)"')
_RECENT = 4096
Content = bytes | mmap.mmap
Reader = Callable[[Content], Iterable[bytes]]
"""The keys in a file's content, or in one line."""


class KeyIndex:
    """Sorted hashes, and a small set of recent ones that is merged in when it has grown."""

    def __init__(self, files: Iterable[Path], keys_in: Reader) -> None:
        self._keys_in = keys_in
        self._hashes = array("Q")
        self._recent: set[int] = set()
        for file in files:
            self._hashes.extend(self._hashes_in(file))
        self._merge()

    def add(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            self._recent.update(map(_hash, self._keys_in(line)))
        if len(self._recent) > _RECENT:
            self._merge()

    def __contains__(self, key: str) -> bool:
        wanted = _hash(key.encode())
        place = bisect_left(self._hashes, wanted)
        return wanted in self._recent or (place < len(self._hashes) and self._hashes[place] == wanted)

    def _hashes_in(self, file: Path) -> array[int]:
        with file.open("rb") as opened:
            if not file.stat().st_size:
                return array("Q")
            with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return array("Q", map(_hash, self._keys_in(content)))

    def _merge(self) -> None:
        self._hashes.extend(self._recent)
        self._hashes = array("Q", sorted(self._hashes))
        self._recent.clear()


def keys_in_json(content: Content) -> Iterator[bytes]:
    """Of each line its key, and its marks where it tells of several messages. Customers' words cannot pass for one:
    inside JSON text their quotes are escaped."""
    for match in _KEYS.finditer(content):
        yield from _KEY.findall(match[0])


def _hash(key: bytes) -> int:
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big")
