"""A maildrop's mails as raws, and what they are known by. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256

from allears_sdk.connector import Missing
from allears_sdk.message import RFC822, Raw
from connectors._mail.raw import mail_raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One mail as the maildrop lists it. A number holds for one session only."""

    number: int
    size: int
    """Bytes, as LIST says."""
    mark: str
    """What it is recognised by: the server's id, or a hash of header and size."""

    @property
    def key(self) -> str:
        """The size is in it: ids that are used again after a maildrop was made anew are another key."""
        return sha256(f"{self.mark}\0{self.size}".encode()).hexdigest()


def header_key(key: str) -> str:
    """Known by it: only the header of that mail is stored, because it was too large then."""
    return f"header:{key}"


def old_key(key: str) -> str:
    """Known by it: that mail was there before we looked, and is never filed."""
    return f"old:{key}"


def whole(listed: Listed, body: bytes, header: bytes, now: datetime) -> Raw:
    return mail_raw(listed.key, body, _received(header, now), context={"uid": listed.mark})


def oversized(listed: Listed, header: bytes, limit: int, now: datetime) -> Raw:
    reason = f"larger than {limit} bytes: {listed.size}; only the header was read (id {listed.mark})"
    return mail_raw(
        header_key(listed.key), header, _received(header, now), context={"uid": listed.mark}, quarantine=reason
    )


def before_us(listed: Listed, now: datetime) -> Raw:
    """Known from now on, never filed; its bytes were not read."""
    return Raw(key=old_key(listed.key), body=b"", media_type=RFC822, received_at=now, baseline=True)


def missing(listed: Listed, reason: str) -> Missing:
    locator = {"uid": listed.mark, "size": listed.size}
    return Missing(key=f"uid:{listed.key}", reason=reason, locator=locator)


def arrived_at(header: bytes) -> datetime | None:
    """Aware UTC: when the last server says it received it; none where no server does."""
    newest = next((value for name, value in _dated(header) if name == "received"), "")
    return _moment(newest.rpartition(";")[2])


def written_at(header: bytes) -> datetime | None:
    """Aware UTC: what its author's clock said."""
    return _moment(next((value for name, value in _dated(header) if name == "date"), ""))


def is_before(header: bytes, since: datetime) -> bool:
    """Whether it arrived and was written earlier. Both must say so: either clock may be wrong, and ids and sizes by
    which an old mail is known may change."""
    times = [at for at in (arrived_at(header), written_at(header)) if at is not None]
    return bool(times) and max(times) < since


def _received(header: bytes, now: datetime) -> datetime:
    at = arrived_at(header)
    return min(at, now) if at else now


def _dated(header: bytes) -> Iterator[tuple[str, str]]:
    """Received and Date, unfolded, in order: the newest Received comes first."""
    name, value = "", ""
    for line in header.decode("latin-1").splitlines():
        if line[:1] in (" ", "\t"):
            value += line
            continue
        if name in ("received", "date"):
            yield name, value
        name, _, value = line.partition(":")
        name = name.strip().lower()
    if name in ("received", "date"):
        yield name, value


def _moment(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text.strip())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    try:
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
