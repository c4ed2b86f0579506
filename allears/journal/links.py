"""Complaints of one customer or one order: linked where an identifier matches, never merged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from allears.journal import bulk
from allears.journal.conversations import MAX_RELATED
from allears.journal.rows import dump, load
from allears_sdk.complaint import Complaint, Provenance
from normalizer.conversation import Draft, Identifiers
from normalizer.standing import LEVEL, weighed

MOST_OF_ONE = 10
"""An identifier in more open complaints than this is nobody's own: a desk that writes for others, a shop's phone."""
_GIVEN = "="
"""Before a key of the customers' file, which is kept as text; one of ours is a number."""
_NEWEST = ") SELECT given.column1, (SELECT max(conversation_id) FROM links WHERE identity = given.column1) FROM given"
_SHARING = (
    "SELECT l.conversation_id, l.customer, c.id, c.state = 'open' AND c.updated_at >= ? FROM links l"
    " JOIN complaints c ON c.conversation_id = l.conversation_id WHERE l.identity=?"
    " ORDER BY l.conversation_id DESC LIMIT ?"
)
_INTO = "INSERT INTO links (identity, conversation_id, customer) VALUES"


class Other(msgspec.Struct, frozen=True):
    """A complaint with the same identifier."""

    conversation: int
    customer: int | str
    reference: str
    is_open: bool
    """And recent enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a record is put among those of the same customer or order."""

    conversation: int
    reference: str


class Circle:
    """Those whom the drafts of one step share identifiers with; what is placed first is known to the next."""

    def __init__(self, sql: sqlite3.Connection, drafts: Iterable[Draft | None]) -> None:
        self._sql = sql
        self._known: dict[int, list[Other]] = {}
        self._rows: dict[tuple[int, int], int | str] = {}
        self._related: dict[int, dict[str, None]] = {}
        given = [draft.identifiers for draft in drafts if draft and draft.identifiers]
        asked = {one: None for each in given for one in (*each.customers, *each.orders)}
        since = min((each.since for each in given), default=0.0)
        for identity, newest in bulk.execute(sql, "WITH given AS (VALUES", _NEWEST, [(one,) for one in asked]):
            if newest is not None:
                rows = sql.execute(_SHARING, (since, identity, MOST_OF_ONE + 1))
                self._known[identity] = [Other(row[0], row[1], row[2], bool(row[3])) for row in rows]

    def place(self, record: Complaint, draft: Draft, place: Place, previous: Complaint | None = None) -> Complaint:
        """The record with its customer's key, earlier contacts and related complaints. What a `previous` one knew of
        the customer is kept."""
        given = draft.identifiers
        if previous is not None:
            record = _as_before(record, previous)
        if given is None:
            return weighed(record)
        known = record.customer
        mine, same_order = self._others(given.customers, place), self._others(given.orders, place)
        whose = f"{_GIVEN}{known.key}" if known.key else self._customer(given)
        earlier = sum(one.conversation < place.conversation for one in mine.values())
        earlier = max(earlier, known.earlier_contacts)
        related = tuple(dict.fromkeys((*record.related, *mine, *same_order)))[:MAX_RELATED]
        self._note(given, place, whose, {**same_order, **mine})
        if (known.key, known.earlier_contacts, record.related) != (key := shown_key(whose), earlier, related):
            customer = replace(known, key=key, earlier_contacts=earlier)
            record = replace(record, customer=customer, related=related)
        return weighed(record)

    def write(self) -> None:
        """What was placed, in the journal: the links, and each relation at both ends."""
        rows = [(identity, conversation, customer) for (identity, conversation), customer in self._rows.items()]
        bulk.write(self._sql, _INTO, "ON CONFLICT DO NOTHING", rows)
        for conversation, references in self._related.items():
            relate(self._sql, conversation, references)

    def _others(self, identities: Sequence[int], place: Place) -> dict[str, Other]:
        """By reference, newest first."""
        found: dict[str, Other] = {}
        for identity in identities:
            others = [one for one in self._known.get(identity, ()) if one.conversation != place.conversation]
            near = [one for one in others if one.is_open]
            if len(near) <= MOST_OF_ONE:
                found |= {one.reference: one for one in near}
        newest = sorted(found.values(), key=lambda one: -one.conversation)
        return {one.reference: one for one in newest[:MOST_OF_ONE]}

    def _customer(self, given: Identifiers) -> int | str:
        """Whose the first known identifier is, or else the strongest's number; 0 where there is none."""
        for identity in given.customers:
            others = self._known.get(identity, ())
            known = next((one.customer for one in others if one.customer), 0)
            if known and sum(one.is_open for one in others) <= MOST_OF_ONE:
                return known
        return given.customers[0] if given.customers else 0

    def _note(self, given: Identifiers, place: Place, customer: int | str, others: dict[str, Other]) -> None:
        entry = Other(place.conversation, customer, place.reference, True)
        for identity in (*given.customers, *given.orders):
            if (identity, place.conversation) not in self._rows:
                self._rows[identity, place.conversation] = customer if identity in given.customers else 0
                self._known[identity] = [entry, *self._known.get(identity, ())][: MOST_OF_ONE + 1]
        for other in others.values():
            self._related.setdefault(other.conversation, {})[place.reference] = None
            self._related.setdefault(place.conversation, {})[other.reference] = None


def relate(sql: sqlite3.Connection, conversation: int, references: Iterable[str]) -> None:
    """Let a conversation know of these, the newest 50 of all."""
    row = sql.execute("SELECT related FROM conversations WHERE id=?", (conversation,)).fetchone()
    if row is None:
        return
    known: list[Any] = load(row[0])
    related = list(dict.fromkeys((*known, *references)))[-MAX_RELATED:]
    if related != known:
        sql.execute("UPDATE conversations SET related=? WHERE id=?", (dump(related), conversation))


def related_of(sql: sqlite3.Connection, conversation: int) -> tuple[str, ...]:
    """References of the complaints related to a conversation's, as they are known now."""
    row = sql.execute("SELECT related FROM conversations WHERE id=?", (conversation,)).fetchone()
    return tuple(load(row[0])) if row else ()


def shown_key(customer: int | str) -> str:
    """A customer's key as records have it; "" for nobody's."""
    if isinstance(customer, str):
        return customer.removeprefix(_GIVEN)
    return f"C-{customer & 0xFFFF_FFFF_FFFF_FFFF:016X}" if customer else ""


def _as_before(record: Complaint, previous: Complaint) -> Complaint:
    """What was known of the customer when the complaint was opened is kept; what was not may be learnt later."""
    new, old = record.customer, previous.customer
    kept = {name: getattr(old, name) or getattr(new, name) for name in ("level", "region", "key")}
    customer = replace(new, **kept, earlier_contacts=max(new.earlier_contacts, old.earlier_contacts))
    sources: dict[str, Provenance] = {
        name: previous.provenance[name] for name in (LEVEL, "product_line") if name in previous.provenance
    }
    return replace(
        record, customer=customer, product_line=previous.product_line or record.product_line,
        provenance={**record.provenance, **sources},
    )  # fmt: skip
