"""What was forgotten: hashed keys, so that nothing erased at a customer's wish is read in again."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Collection, Iterable, Sequence

import msgspec

from allears.journal import bulk
from allears_sdk.message import Message
from allears_sdk.reference import seed

_SALT = ("journal", "forgotten")
"""Its place among the tokens."""
_HASH_BYTES = 16
_INTO = "INSERT INTO forgotten (channel, hash, digest, ordinal) VALUES"
_NEWEST = (
    "ON CONFLICT (channel, hash) DO UPDATE SET digest=excluded.digest, ordinal=excluded.ordinal"
    " WHERE excluded.ordinal >= ordinal"
)

RawKey = tuple[str, str]
"""Channel and key."""


class Left(msgspec.Struct, frozen=True):
    """What is left of a forgotten raw: enough to tell its newest revision from a later one."""

    ordinal: int
    digest: bytes
    salt: bytes
    hash: bytes

    def covers(self, digest: str) -> bool:
        """Whether a raw of that key says nothing new."""
        return not digest or _hashed(self.salt, "digest", digest) == self.digest


def raws_left(sql: sqlite3.Connection, keys: Iterable[RawKey]) -> dict[RawKey, Left]:
    """Those of these raws that were forgotten."""
    salt = _known_salt(sql)
    if not salt:
        return {}
    asked: dict[str, dict[bytes, str]] = {}
    for channel, key in keys:
        asked.setdefault(channel, {})[_hashed(salt, "raw", key)] = key
    query = "SELECT hash, digest, ordinal FROM forgotten WHERE channel=? AND hash IN"
    return {
        (channel, named[found]): Left(ordinal, digest or b"", salt, found)
        for channel, named in asked.items()
        for found, digest, ordinal in bulk.select(sql, query, list(named), channel)
    }


def note_news(sql: sqlite3.Connection, news: Iterable[tuple[str, Left]]) -> None:
    """Of these raws later revisions are stored now, from which newer ones are told."""
    query = "DELETE FROM forgotten WHERE channel=? AND hash=?"
    sql.executemany(query, [(channel, one.hash) for channel, one in news])


def has_any(sql: sqlite3.Connection) -> bool:
    """Whether anything was forgotten at all: asked once for many messages."""
    return bool(_known_salt(sql))


def without_forgotten(sql: sqlite3.Connection, channel: str, messages: Sequence[Message]) -> Sequence[Message]:
    """Those of a channel's messages that were not forgotten."""
    salt = _known_salt(sql)
    if not salt or not messages:
        return messages
    hashes = [_message_hash(salt, message.external_id, message.revision) for message in messages]
    query = "SELECT hash FROM forgotten WHERE channel=? AND hash IN"
    known = {found for (found,) in bulk.select(sql, query, hashes, channel)}
    return [message for message, one in zip(messages, hashes, strict=True) if one not in known] if known else messages


def keep_raws(sql: sqlite3.Connection, rows: Collection[tuple[str, str, str, int]]) -> None:
    """Leave the hashes of raws about to be erased: (channel, key, digest, ordinal)."""
    salt = _salt(sql)
    newest: dict[RawKey, tuple[object, ...]] = {}
    for channel, key, digest, ordinal in sorted(rows, key=lambda row: row[3]):
        hashed = _hashed(salt, "digest", digest) if digest else b""
        newest[channel, key] = (channel, _hashed(salt, "raw", key), hashed, ordinal)
    bulk.write(sql, _INTO, _NEWEST, list(newest.values()))


def keep_messages(sql: sqlite3.Connection, rows: Collection[tuple[str, str, str]]) -> None:
    """Leave the hashes of messages about to be erased: (channel, external id, revision)."""
    salt = _salt(sql)
    hashed = {(channel, _message_hash(salt, external_id, revision)) for channel, external_id, revision in rows}
    bulk.write(sql, _INTO, "ON CONFLICT DO NOTHING", [(*one, None, 0) for one in sorted(hashed)])


def _message_hash(salt: bytes, external_id: str, revision: str) -> bytes:
    return _hashed(salt, "message", external_id, revision)


def _hashed(salt: bytes, *parts: str) -> bytes:
    """Keyed, so that who has the hashes alone cannot try out addresses."""
    return hashlib.blake2b(seed(*parts), key=salt, digest_size=_HASH_BYTES).digest()


def _known_salt(sql: sqlite3.Connection) -> bytes:
    """Empty before anything was forgotten."""
    row = sql.execute("SELECT value FROM tokens WHERE space=? AND name=?", _SALT).fetchone()
    return bytes(row[0]) if row else b""


def _salt(sql: sqlite3.Connection) -> bytes:
    """Made with the first that is forgotten."""
    sql.execute("INSERT INTO tokens VALUES (?,?,?) ON CONFLICT DO NOTHING", (*_SALT, secrets.token_bytes(32)))
    return _known_salt(sql)
