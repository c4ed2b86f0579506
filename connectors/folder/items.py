"""What a file is made of, and how each piece is known again."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from allears_sdk.codec import encode_stable
from allears_sdk.connector import Missing
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex
from connectors.folder.columns import ALIASES
from connectors.folder.mapping import Export


class Reason(NamedTuple):
    """Why something could not be read, for people at the store desk and at head office."""

    en: str
    zh: str

    def __str__(self) -> str:
        return f"{self.en} / {self.zh}"


class Unreadable(Exception):
    """The file as a whole, or the rest of it."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.reason = Reason(en, zh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a file has been read."""

    row: int = 0
    offset: int = 0
    """Bytes, where lines can be counted in bytes."""
    anonymous: int = 0
    """How many rows without an id came before; 0 means nothing needs counting again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One piece of a file, and the position that is true once it is stored."""

    position: Position
    raw: Raw | None = None
    missing: Missing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How to read one file."""

    name: str
    received_at: datetime
    zone: tzinfo
    columns: Mapping[str, str] = field(default_factory=dict)
    export: Export | None = None
    """What platform the sheets come from, where the admin has said so."""
    look_back: timedelta | None = None
    """Reviews and comments that are older are only known."""
    product: str = ""
    """What their rows are about where no column says."""
    encoding: str = ""
    rating_best: float = 5
    max_file_bytes: int = 64 << 20

    @property
    def aliases(self) -> Mapping[str, tuple[str, ...]]:
        return self.export.aliases if self.export else ALIASES

    @property
    def mark(self) -> str:
        """Under another mapping a sheet has other items: a position in it means nothing then."""
        named = [self.export.name, dict(self.columns)] if self.export else []
        return sha256_hex(encode_stable(named))[:16] if named else ""

    def is_old(self, posted_at: datetime | None) -> bool:
        if not self.export or self.look_back is None or posted_at is None:
            return False
        return posted_at < self.received_at - self.look_back

    def facts(self, row: int, **more: Any) -> dict[str, Any]:
        return {"file": self.name, "row": row, **{name: value for name, value in more.items() if value}}


class Occurrences:
    """Rows without an id are known by their content and, among equal ones, by which one they are: the same export
    read again gives the same keys, and two customers who wrote the same are two. Counted in a scratch database
    that the system deletes by itself, so that a file of any size takes little memory."""

    def __init__(self) -> None:
        self._scratch = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._scratch.execute("PRAGMA journal_mode=OFF")
        self._scratch.execute("CREATE TABLE seen (hash BLOB PRIMARY KEY, times INTEGER) WITHOUT ROWID")
        self._scratch.execute("BEGIN")

    def key(self, content: bytes) -> str:
        known = hashlib.sha256(content)
        query = "INSERT INTO seen VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times"
        ((times,),) = self._scratch.execute(query, (known.digest()[:16],)).fetchall()
        return f"sha256:{known.hexdigest()}" + (f":{times}" if times > 1 else "")

    def close(self) -> None:
        self._scratch.close()


def advance(position: Position, *, offset: int = 0, is_anonymous: bool = False) -> Position:
    """The position one row further."""
    return replace(
        position, row=position.row + 1, offset=offset, anonymous=position.anonymous + (1 if is_anonymous else 0)
    )
