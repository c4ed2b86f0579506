"""One complaint as a page shows it: the words beside the record, each derived field with its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from allears.console.highlight import Mark, Segment, cut
from allears.console.labels import field_label, show_value
from allears.console.sight import Sight
from allears.console.veil import Veiled, veil_text
from allears.journal.records import ComplaintFile, MessageRow
from allears_sdk.complaint import Complaint, Evidence, Provenance
from allears_sdk.masking import is_hotline
from allears_sdk.message import Attachment

SHOWN_CHARACTERS = 100_000
"""Longer texts are cut on the page; the raw holds them whole."""

MOST_MARKS = 400

MOST_CONTACTS = 100
SHORTEST_CONTACT = 4
"""Shorter words would mask half a text."""

TEMPLATE_FIELDS = (
    "customer_id",
    "contact",
    "channel",
    "received_at",
    "product_or_order",
    "category",
    "description",
    "priority",
    "expectation",
    "attachments",
    "handler",
)
_BEFORE = ("nature",)
_AFTER = (
    "product_line",
    "customer.level",
    "customer.region",
    "customer.earlier_contacts",
    "rating",
    "language",
    "team",
    "assignee",
    "cc",
    "tags",
)
_ENTITIES = ("order", "product", "tracking", "amount", "person", "phone", "email", "wechat")


_NO_GUESS = ("channel", "admin", "script", "route", "customers", "catalogue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Words that speak for a field, and where they are marked on the page."""

    words: str
    anchor: str
    """Id of the mark; empty when the words stand in no text shown here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """A field of the record. `values` is empty when honestly nothing is known."""

    name: str
    colour: str
    label: str
    values: Sequence[str]
    codes: Sequence[str]
    """The values as the record spells them."""
    source: str
    rule: str
    percent: int | None
    proofs: Sequence[Proof]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLine:
    attachment: Attachment
    name: str
    href: str
    """Empty when we do not have the bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """A message with its marked words."""

    row: MessageRow
    author: str
    subject: str
    segments: Sequence[Segment]
    files: Sequence[FileLine]
    is_cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    file: ComplaintFile
    sight: Sight
    """The reader's, knowing this customer's contacts."""
    title: str
    fields: Sequence[FieldRow]
    also: Sequence[FieldRow]
    speeches: Sequence[Speech]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A piece of evidence found in a message: the message's place on the page, and the mark in it."""

    message: int
    mark: Mark


def lay_out(file: ComplaintFile, sight: Sight) -> Case:
    sight = replace(sight, contacts=known_contacts(file.record))
    placed = _place_all(file)
    fields = [_field(file.record, name, placed, sight) for name in (*_BEFORE, *TEMPLATE_FIELDS, *_AFTER)]
    also = [_field(file.record, f"entities.{kind}", placed, sight) for kind in _ENTITIES]
    return Case(
        file=file,
        sight=sight,
        title=sight.shown(file.record.title),
        fields=[row for row in fields if row.values or row.name in (*_BEFORE, *TEMPLATE_FIELDS)],
        also=[row for row in also if row.values],
        speeches=[_speech(file, index, placed, sight) for index in range(len(file.messages))],
    )


def known_contacts(record: Complaint) -> frozenset[str]:
    """Words of the texts that are ways to reach somebody, also those no mask would recognise."""
    contact, entities = record.contact, record.entities
    words = (contact.wechat, contact.phone, contact.email, *entities.wechat, *entities.phone, *entities.email)
    return frozenset([word for word in words if len(word) >= SHORTEST_CONTACT and not is_hotline(word)][:MOST_CONTACTS])


def colour_of(field: str) -> str:
    """Fields that are about the same thing are marked in one colour."""
    kind = field.removeprefix("entities.")
    if kind in ("phone", "email", "wechat", "contact", "customer_id", "person"):
        return "contact"
    if kind in ("order", "product", "tracking", "amount", "product_or_order"):
        return "product"
    return kind if kind in ("category", "priority", "expectation", "nature") else "other"


def colours_of(fields: Sequence[str]) -> Sequence[str]:
    return list(dict.fromkeys(colour_of(field) for field in fields))


def _place_all(file: ComplaintFile) -> dict[tuple[str, int], _Placed]:
    """(field, index of its evidence) → where the words stand."""
    found: dict[tuple[str, int], _Placed] = {}
    for name, provenance in file.record.provenance.items():
        for index, evidence in enumerate(provenance.evidence):
            if len(found) >= MOST_MARKS:
                return found
            anchor = f"{name.replace('.', '-')}-{index}"
            placed = _place(file.messages, name, evidence, anchor)
            if placed is not None:
                found[name, index] = placed
    return found


def _place(messages: Sequence[MessageRow], field: str, evidence: Evidence, anchor: str) -> _Placed | None:
    """In the newest version of its message that still holds the words at that place, else anywhere in it."""
    candidates = [index for index, row in enumerate(messages) if row.message.external_id == evidence.message]
    start, end, words = evidence.start, evidence.end, evidence.words
    if start < 0 or not words:
        return None
    for index in reversed(candidates):
        if messages[index].message.text[start:end] == words:
            return _Placed(message=index, mark=Mark(field=field, start=start, end=end, anchor=anchor))
    for index in reversed(candidates):
        start = messages[index].message.text.find(words)
        if start >= 0:
            mark = Mark(field=field, start=start, end=start + len(words), anchor=anchor)
            return _Placed(message=index, mark=mark)
    return None


def _field(record: Complaint, name: str, placed: Mapping[tuple[str, int], _Placed], sight: Sight) -> FieldRow:
    value: object = attrgetter(name)(record)
    values = show_value(name, value, sight) if value else ()
    provenance = record.provenance.get(name)
    source, _, rule = provenance.source.partition(":") if provenance else ("", "", "")
    return FieldRow(
        name=name,
        colour=colour_of(name),
        label=field_label(name, sight.texts),
        values=values,
        codes=_codes(value),
        source=sight.texts.word("source", source) if source else "",
        rule=rule,
        percent=_percent(provenance),
        proofs=_proofs(name, provenance, placed, sight) if provenance else (),
    )


def _codes(value: object) -> Sequence[str]:
    if isinstance(value, tuple):
        return [item for item in value if isinstance(item, str)]
    return [value] if isinstance(value, str) else []


def _percent(provenance: Provenance | None) -> int | None:
    """Only where certainty says something: what the channel itself states is not a guess."""
    if provenance is None or provenance.source.startswith(_NO_GUESS):
        return None
    return round(100 * min(1.0, max(0.0, provenance.score)))


def _proofs(
    name: str, provenance: Provenance, placed: Mapping[tuple[str, int], _Placed], sight: Sight
) -> Sequence[Proof]:
    found: dict[str, str] = {}
    for index, evidence in enumerate(provenance.evidence):
        place = placed.get((name, index))
        words = sight.shown(evidence.words)
        found[words] = found.get(words) or (place.mark.anchor if place else "")
    return [Proof(words=words, anchor=anchor) for words, anchor in found.items()]


def _speech(file: ComplaintFile, index: int, placed: Mapping[tuple[str, int], _Placed], sight: Sight) -> Speech:
    row = file.messages[index]
    message = row.message
    text = message.text[:SHOWN_CHARACTERS]
    veiled = Veiled(text, ()) if sight.reveal else veil_text(text, sight.contacts)
    marks = [_moved(found.mark, veiled) for found in placed.values() if found.message == index]
    author = message.author
    return Speech(
        row=row,
        author=sight.shown(author.name or author.handle or author.email or author.phone or author.id),
        subject=sight.shown(message.subject),
        segments=cut(veiled.text, marks),
        files=[_file_line(file.record.id, index, place, item, sight) for place, item in enumerate(message.attachments)],
        is_cut=len(message.text) > SHOWN_CHARACTERS,
    )


def _moved(mark: Mark, veiled: Veiled) -> Mark:
    start, end = veiled.place(mark.start, mark.end)
    return Mark(field=mark.field, start=start, end=end, anchor=mark.anchor)


def _file_line(complaint: str, message: int, place: int, attachment: Attachment, sight: Sight) -> FileLine:
    is_there = not attachment.skipped and not attachment.is_pending
    href = "" if not is_there else f"/complaints/{complaint}/attachments/{message}/{place}"
    return FileLine(attachment=attachment, name=sight.shown(attachment.shown_name), href=href)
