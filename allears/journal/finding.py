"""Finding all that is kept of one customer: by id, mail address, phone number or reference."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import msgspec

from allears.journal import bulk, erasing
from allears.journal.blobs import Blobs
from allears.journal.forgetting import Name, Plan
from allears.journal.rows import load
from allears.journal.senders import identity
from allears_sdk.message import Role
from allears_sdk.reference import normalise

PAGE = 500
"""Rows read at a time."""
_PHONE = re.compile(r"\+?[\d\s().-]{7,24}")
_FEWEST_DIGITS = 7
_SUFFIX_DIGITS = 9
"""So many last digits tell a number that is written with and without its country."""
_SHORTEST_WORD = 6
"""Characters of what is looked for in running text: a shorter one stands anywhere."""

Report = Callable[[int, int], None]
Mark = tuple[str, str, str]
"""What a person is known by: ("id", channel, id), ("mail", "", mailbox) or ("phone", "", digits)."""


class _Author(msgspec.Struct):
    role: str = Role.CUSTOMER.value
    id: str = ""
    name: str = ""
    handle: str = ""
    email: str = ""
    phone: str = ""


class _Said(msgspec.Struct):
    author: _Author
    original: _Said | None = None
    participants: list[str] = []


class _Contact(msgspec.Struct):
    email: str = ""
    phone: str = ""
    wechat: str = ""
    handle: str = ""


class _Record(msgspec.Struct):
    customer_id: str = ""
    contact: _Contact = msgspec.field(default_factory=_Contact)


class _Event(msgspec.Struct):
    record: _Record


class Asked(msgspec.Struct, frozen=True):
    """Whom somebody asks for, in every way it can be meant."""

    text: str
    mail: str
    phone: str

    def names(self, *values: str) -> bool:
        """Whether one of these ids, handles, addresses or numbers is the one that was asked for."""
        return any(self._is(value) for value in values if value)

    def _is(self, value: str) -> bool:
        if value == self.text or (self.mail and identity(value) == self.mail):
            return True
        return bool(self.phone) and is_same_number(self.phone, number_of(value))


class FoundConversation(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    reference: str
    channel: str
    customer: str
    opened_at: float
    messages: int
    is_theirs: bool
    """False: somebody else's, in which they have spoken."""
    others: int
    """Messages of other customers that go with it."""
    is_on_its_way: bool
    tickets: Sequence[tuple[str, str, str]]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    plan: Plan
    marks: Sequence[Mark]
    """By which they were found."""
    conversations: Sequence[FoundConversation]
    letters: Sequence[int]
    """That go too: what could not be read, and names them."""
    mentions: Sequence[str]
    """References of other customers' complaints that name them: left alone."""
    unread: int
    """Messages not read yet that may be theirs."""
    items: dict[str, int]
    """Raws by channel: the source has them too."""
    files: Sequence[tuple[str, str]]
    """Channel and name of files they were read from."""


def ask(text: str) -> Asked:
    """Raises ValueError for what is no customer."""
    text = unicodedata.normalize("NFKC", text).strip()
    if not text:
        raise ValueError("nobody was named")
    return Asked(text, identity(text) if "@" in text else "", number_of(text))


def number_of(text: str) -> str:
    """The digits of a phone number without China's country code, "" where it is none."""
    text = unicodedata.normalize("NFKC", text).strip()
    digits = "".join(letter for letter in text if letter.isdigit())
    if len(digits) < _FEWEST_DIGITS or not _PHONE.fullmatch(text):
        return ""
    digits = digits.removeprefix("00")
    return digits[2:] if len(digits) == 13 and digits.startswith("861") else digits


def is_same_number(one: str, other: str) -> bool:
    """Also where only one of them has its country code, or the zero before the area."""
    if not one or not other:
        return False
    shorter, longer = sorted((one.lstrip("0"), other.lstrip("0")), key=len)
    return shorter == longer or (len(shorter) >= _SUFFIX_DIGITS and longer.endswith(shorter))


class Search:
    """One look through a journal, on a connection of its own; nothing is written."""

    def __init__(self, sql: sqlite3.Connection, blobs: Blobs, report: Report = lambda done, total: None) -> None:
        self._sql = sql
        self._blobs = blobs
        self._report = report
        self._said = msgspec.json.Decoder(_Said)
        self._event = msgspec.json.Decoder(_Event)
        self._newest = {table: self._last(table) for table in ("messages", "raws", "events")}

    def find(self, text: str, without: Collection[str] = ()) -> Found | None:
        """All that is kept of them, but for the conversations and letters in `without`; None where nothing is.
        Raises ValueError for what can be nobody."""
        asked = ask(text)
        told = self._referred(normalise(text)) or self._told(asked)
        marks = {mark for one in told for mark in self._customer_of(one)}
        marks |= {("mail", "", asked.mail)} if asked.mail else set()
        spoken, addressed = self._spoken(asked, marks)
        looked = [self._look(one, spoken.get(one, []), told) for one in sorted({*spoken, *addressed, *told})]
        found = [one for one in looked if one is not None and one.reference not in without]
        return self._gather(asked, marks, found, spoken, without)

    def _gather(
        self,
        asked: Asked,
        marks: set[Mark],
        found: Sequence[FoundConversation],
        spoken: dict[int, list[int]],
        without: Collection[str],
    ) -> Found | None:
        theirs = {one.id for one in found if one.is_theirs}
        words = _words(asked, marks)
        raws, letters, unread = self._raws(theirs, words, without)
        if not found and not raws and not unread:
            return None
        plan = Plan(
            conversations=sorted(theirs),
            messages=[message for one in found if not one.is_theirs for message in spoken[one.id]],
            raws=raws,
            names=self._names(theirs),
            words=words,
            newest_message=self._newest["messages"],
            newest_raw=self._newest["raws"],
        )
        return Found(
            plan=plan,
            marks=sorted(marks),
            conversations=found,
            letters=letters,
            mentions=self._mentions({one.id for one in found}, words),
            unread=unread,
            items=self._items(theirs),
            files=self._files(theirs),
        )

    # Who it is

    def _referred(self, reference: str) -> set[int]:
        query = "SELECT id FROM conversations WHERE reference=? AND seed != x''"
        return {row[0] for row in self._sql.execute(query, (reference,))}

    def _told(self, asked: Asked) -> set[int]:
        """Conversations whose customer wrote or is known by what was asked for."""
        found: set[int] = set()
        for conversation, body in self._pages("events", "rowid", "conversation_id, body"):
            record = self._event.decode(body).record
            contact = record.contact
            if asked.names(record.customer_id, contact.email, contact.phone, contact.wechat, contact.handle):
                found.add(conversation)
        return found

    def _customer_of(self, conversation: int) -> set[Mark]:
        """Who opened it."""
        for _, channel, said in self._messages(conversation):
            if said.author.role == Role.CUSTOMER.value:
                return _marks(channel, _authors(said)[-1])
        return set()

    def _spoken(self, asked: Asked, marks: set[Mark]) -> tuple[dict[int, list[int]], set[int]]:
        """Their messages by conversation, and the conversations in which they were written to. `marks` grows by what
        those messages tell of them, until nothing new is told."""
        while True:
            known = set(marks)
            spoken: dict[int, list[int]] = {}
            addressed: set[int] = set()
            columns = "id, conversation_id, channel, body"
            for message, conversation, channel, body in self._pages("messages", "id", columns):
                said = self._said.decode(body)
                for author in _authors(said):
                    told = _marks(channel, author)
                    if not known.isdisjoint(told) or asked.names(author.id, author.handle, author.email, author.phone):
                        spoken.setdefault(conversation, []).append(message)
                        marks |= told
                        break
                if any(("mail", "", identity(one)) in known for one in said.participants):
                    addressed.add(conversation)
            if marks == known:
                return spoken, addressed

    # What there is

    def _look(self, conversation: int, theirs: Sequence[int], told: Collection[int]) -> FoundConversation | None:
        row = self._sql.execute(
            "SELECT c.reference, c.channel, c.opened_at, coalesce(f.customer, u.customer, '') FROM conversations c"
            " LEFT JOIN complaints f ON f.conversation_id = c.id LEFT JOIN unfiled u ON u.conversation_id = c.id"
            " WHERE c.id=?",
            (conversation,),
        ).fetchone()
        messages = self._messages(conversation)
        customers = [number for number, _, said in messages if said.author.role == Role.CUSTOMER.value]
        is_theirs = conversation in told or not customers or customers[0] in theirs
        if not theirs and not is_theirs:
            return None  # written to among others
        return FoundConversation(
            id=conversation,
            reference=row[0],
            channel=row[1],
            opened_at=row[2],
            customer=row[3],
            messages=len(messages) if is_theirs else len(theirs),
            is_theirs=is_theirs,
            others=len(set(customers) - set(theirs)) if is_theirs and theirs else 0,
            is_on_its_way=erasing.is_on_its_way(self._sql, conversation),
            tickets=erasing.tickets_of(self._sql, conversation),
        )

    def _messages(self, conversation: int) -> list[tuple[int, str, _Said]]:
        query = "SELECT id, channel, body FROM messages WHERE conversation_id=? ORDER BY id"
        rows = self._sql.execute(query, (conversation,))
        return [(number, channel, self._said.decode(body)) for number, channel, body in rows]

    def _raws(
        self, theirs: Collection[int], words: Sequence[str], without: Collection[str]
    ) -> tuple[list[int], list[int], int]:
        """Raws without messages: (those to erase, the letters among them, how many are not read yet)."""
        erase: list[int] = []
        letters: list[int] = []
        unread = 0
        columns = "id, state, conversation_id, EXISTS (SELECT 1 FROM messages WHERE raw_id = raws.id)"
        for raw, state, conversation, is_read in self._pages("raws", "id", columns):
            if is_read or not (conversation in theirs or self._names_them(raw, words)):
                continue
            letter = self._letter(raw)
            if state == "waiting" and conversation not in theirs:
                unread += 1
            elif letter is None:
                erase.append(raw)
            elif str(letter) not in without:
                erase.append(raw)
                letters.append(letter)
        return erase, letters, unread

    def _letter(self, raw: int) -> int | None:
        row = self._sql.execute("SELECT id FROM letters WHERE identity=?", (f"raw:{raw}",)).fetchone()
        return int(row[0]) if row else None

    def _names_them(self, raw: int, words: Sequence[str]) -> bool:
        body, blob, context = self._sql.execute("SELECT body, blob, context FROM raws WHERE id=?", (raw,)).fetchone()
        content = self._blobs.read(blob) if blob else body or b""
        return any(word.encode() in content or word in context for word in words)

    def _names(self, theirs: Collection[int]) -> list[Name]:
        query = (
            "SELECT channel, name, conversation_id FROM names WHERE (channel, name, conversation_id) > (?,?,?)"
            f" ORDER BY channel, name, conversation_id LIMIT {PAGE}"
        )
        found: list[Name] = []
        at: tuple[str, str, int] = ("", "", -1)
        while theirs and (rows := self._sql.execute(query, at).fetchall()):
            found += [Name(*row) for row in rows if row[2] in theirs]
            at = rows[-1]
        return found

    def _mentions(self, theirs: Collection[int], words: Sequence[str]) -> list[str]:
        found: set[int] = set()
        for word in words:
            columns = "conversation_id, instr(body, ?)"
            for conversation, place in self._pages("messages", "id", columns, word.encode()):
                if place and conversation not in theirs:
                    found.add(conversation)
        query = "SELECT reference FROM conversations WHERE id IN"
        return sorted(reference for (reference,) in bulk.select(self._sql, query, sorted(found)))

    def _items(self, theirs: Collection[int]) -> dict[str, int]:
        query = "SELECT channel, raw_id FROM messages WHERE conversation_id IN"
        raws = set(bulk.select(self._sql, query, sorted(theirs)))
        return dict(sorted(Counter(channel for channel, _ in raws).items()))

    def _files(self, theirs: Collection[int]) -> list[tuple[str, str]]:
        query = (
            "SELECT DISTINCT r.channel, r.context FROM messages m JOIN raws r ON r.id = m.raw_id"
            " WHERE m.conversation_id IN"
        )
        contexts = ((channel, load(context)) for channel, context in bulk.select(self._sql, query, sorted(theirs)))
        return sorted({(channel, context["file"]) for channel, context in contexts if context.get("file")})

    # Reading

    def _last(self, table: str) -> int:
        return int(self._sql.execute(f"SELECT coalesce(max(rowid), 0) FROM {table}").fetchone()[0])

    def _pages(self, table: str, key: str, columns: str, *values: Any) -> Iterator[Any]:
        """All rows, some at a time: no long read holds up the log's going into the file."""
        query = f"SELECT {columns} FROM {table} WHERE {key} > ? AND {key} <= ? ORDER BY {key}"
        last = self._newest[table]
        for first in range(0, last, PAGE):
            yield from self._sql.execute(query, (*values, first, min(first + PAGE, last))).fetchall()
            self._report(min(first + PAGE, last), last)


def _authors(said: _Said) -> list[_Author]:
    """Customers who speak in a message: its author, and whose mail is forwarded."""
    found = [said.author] if said.author.role == Role.CUSTOMER.value else []
    return [*found, said.original.author] if said.original is not None else found


def _marks(channel: str, author: _Author) -> set[Mark]:
    """Ids are a channel's own; mailboxes and numbers are the same everywhere."""
    marks: set[Mark] = {("id", channel, author.id)} if author.id else set()
    marks |= {("mail", "", identity(one)) for one in (author.id, author.email) if "@" in one}
    number = number_of(author.phone)
    return marks | {("phone", "", number)} if number else marks


def _words(asked: Asked, marks: Collection[Mark]) -> list[str]:
    """As they may stand in a text, the longest first."""
    found = {asked.text, *(value for _, _, value in marks)}
    return sorted((one for one in found if len(one) >= _SHORTEST_WORD), key=len, reverse=True)
