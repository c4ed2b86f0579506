"""What leaves for the model: the customer's words without who he is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from allears_sdk.complaint import Complaint
from allears_sdk.masking import KINDS, mask_text
from allears_sdk.message import Role

MOST_TERMS = 200
"""Names and numbers looked for; a record with more of them is nobody's ordinary complaint."""
PLACEHOLDERS = ("[link]", "[name]", "[email]", "[phone]", "[wechat]", "[id]", "[order]", "[parcel]", "[number]")

_SHORTEST = 2
_SHORTEST_PART = 3
_GENERIC = frozenset({"customer", "user", "client", "guest", "buyer", "amazon", "google", "anonymous", "the"})
_LINK = re.compile(r"(?:https?://|www\.)[!-~]+", re.IGNORECASE)
_STARRED = re.compile(r"[A-Za-z0-9.+%'_-]{0,80}(?:[ -]?\*{3,}){1,6}[ -]?[A-Za-z0-9@._-]{0,80}")
_NUMBER = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z_-]{0,20}\d(?:[ ._-]?\d){6,}[A-Za-z0-9_-]{0,40}")


def masked(text: str, record: Complaint) -> str:
    """`text` with links, the author's names, ids and addresses, everybody's numbers and named people replaced by
    what they are, in brackets. Street addresses and names that only the text tells stay."""
    text = _LINK.sub("[link]", text)
    kinds = _kinds(record)
    if kinds:  # where a letter's other case is longer, what was found is not looked up: it is a name all the same
        text = _pattern(kinds).sub(lambda match: kinds.get(match[0].casefold(), "[name]"), text)
    text = mask_text(text, KINDS)
    return _NUMBER.sub("[number]", _STARRED.sub(_hide_starred, text))


def _hide_starred(match: re.Match[str]) -> str:
    """What the SDK's masks leave of a number or address; f*** stays the word it is."""
    found = match[0]
    return "[number]" if "@" in found or any(letter.isdigit() for letter in found) else found


def _kinds(record: Complaint) -> dict[str, str]:
    """What each term is, the longest first."""
    kinds: dict[str, str] = {}
    for term, kind in _terms(record):
        kinds.setdefault(term.casefold(), kind)
    return {term: kinds[term] for term in sorted(kinds, key=lambda term: (-len(term), term))[:MOST_TERMS]}


def _pattern(terms: Iterable[str]) -> re.Pattern[str]:
    """Of those that begin at one place the first counts."""
    return re.compile("|".join(f"{_before(term)}{re.escape(term)}{_after(term)}" for term in terms), re.IGNORECASE)


def _terms(record: Complaint) -> Iterator[tuple[str, str]]:
    contact, entities = record.contact, record.entities
    places = {
        "[email]": (contact.email, *entities.email),
        "[phone]": (contact.phone, *entities.phone),
        "[wechat]": (contact.wechat, *entities.wechat),
        "[id]": (record.customer_id, contact.handle),
        "[order]": entities.order,
        "[parcel]": entities.tracking,
    }
    for kind, terms in places.items():
        yield from ((term, kind) for term in map(str.strip, terms) if len(term) > _SHORTEST)
    authors = [said.author for said in record.conversation if said.role is Role.CUSTOMER]
    for name in (record.customer.name, contact.name, *authors, *entities.person):
        yield from ((part, "[name]") for part in _parts(name.strip()))


def _parts(name: str) -> Iterator[str]:
    """The name, and each of its words where there are several: who signs with one is not less himself."""
    if len(name) >= _SHORTEST:
        yield name
    words = name.split()
    if len(words) > 1:
        yield from (word for word in words if len(word) >= _SHORTEST_PART and word.casefold() not in _GENERIC)


def _before(term: str) -> str:
    return r"(?<![A-Za-z0-9])" if term[0].isascii() and term[0].isalnum() else ""


def _after(term: str) -> str:
    return r"(?![A-Za-z0-9])" if term[-1].isascii() and term[-1].isalnum() else ""
