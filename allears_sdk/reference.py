"""Ids and references: made from what was said, so that the same words always get the same one."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U to misread
_PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)
_VALUE = {letter: value for value, letter in enumerate(ALPHABET)}
_MISREAD = str.maketrans({"I": "1", "L": "1", "O": "0"})
_GAP = r"[-_.\s\u2010-\u2015\u2212\uff0d]{0,2}"
_PATTERN = re.compile(
    rf"(?<![A-Za-z0-9])[Aa][Ll][Ee]{_GAP}{_GAP.join([r'([0-9A-Za-z]{4})'] * 3)}(?![A-Za-z0-9])", re.ASCII
)
_SPELLINGS = ("ALE", "ale", "Ale")
_WIDE = {0xFF01 + offset: chr(0x21 + offset) for offset in range(94)} | {0x3000: " "}
"""Full-width forms, as Chinese input methods type them."""
OWN_MAIL_HEADER = "X-Allears"
"""All our own mails carry it, so that no loop can start."""


def seed(*parts: str) -> bytes:
    """SHA-256 of the parts, length-prefixed so that ("ab", "c") and ("a", "bc") differ."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(4, "big"))
        digest.update(data)
    return digest.digest()


def reference(digest: bytes, attempt: int = 0) -> str:
    """55 bits of a seed and a check character: `ALE-7K3M-Q9TX-4RWD`.

    `attempt` counts up when the journal already holds that reference for another seed.
    """
    if attempt:
        digest = hashlib.sha256(digest + attempt.to_bytes(2, "big")).digest()
    number = int.from_bytes(digest[:7], "big") >> 1
    # Two digits at a time: this runs for every accepted item [0.8 µs instead of 2.0].
    a, b, c, d, e = number >> 45, number >> 35 & 1023, number >> 25 & 1023, number >> 15 & 1023, number >> 5 & 1023
    last = number & 31
    of_a, of_b, of_c, of_d, of_e = _PAIR_TERMS
    check = of_a[a] ^ of_b[b] ^ of_c[c] ^ of_d[d] ^ of_e[e] ^ _TERMS[10][last]
    letters = _PAIRS
    return f"ALE-{letters[a]}{letters[b]}-{letters[c]}{letters[d]}-{letters[e]}{ALPHABET[last]}{ALPHABET[check]}"


def is_reference(text: str) -> bool:
    """Whether `text` is a well-formed reference with the right check character."""
    return normalise(text) == text


def normalise(text: str) -> str:
    """A reference as somebody typed it → its one spelling, or "" when it cannot be one."""
    match = _PATTERN.fullmatch(text.translate(_WIDE).strip())
    return _checked(match) if match else ""


def _checked(match: re.Match[str]) -> str:
    body = "".join(match.groups()).upper().translate(_MISREAD)
    if any(letter not in _VALUE for letter in body):
        return ""
    digits = [_VALUE[letter] for letter in body]
    if _check(digits[:-1]) != digits[-1]:
        return ""
    return f"ALE-{body[:4]}-{body[4:8]}-{body[8:]}"


def find_references(text: str) -> tuple[str, ...]:
    """Every valid reference that stands in `text`, however it was typed, in order, without repeats."""
    if not text.isascii() and ("Ａ" in text or "ａ" in text):
        text = text.translate(_WIDE)
    places = sorted(place for word in _SPELLINGS for place in _places(text, word))
    found = (_checked(match) for place in places if (match := _PATTERN.match(text, place)))
    return tuple(dict.fromkeys(reference for reference in found if reference))


def _places(text: str, word: str) -> Iterator[int]:
    """Looked for as they are: a tenth of what the pattern takes to find nothing."""
    place = text.find(word)
    while place >= 0:
        yield place
        place = text.find(word, place + 1)


def mail_id(complaint_id: str, domain: str, purpose: str = "ack") -> str:
    """The Message-ID (without angle brackets) of a mail of ours about a complaint, the same for ever: an answer that
    names it is known by it, and so is the mail itself when it comes back."""
    return f"{purpose}.{complaint_id}@{domain or 'allears.invalid'}"


def is_own_mail_id(message_id: str) -> bool:
    """Whether `mail_id` made it: nobody else's carries a reference."""
    return bool(find_references(message_id))


def ticket_key(complaint_id: str, destination: str, successor: int = 0) -> str:
    """The idempotency key of one ticket, `[A-Z0-9-]`: two destinations in one store, or a linked successor,
    never share one."""
    digest = seed("ticket", complaint_id, destination, str(successor))
    return f"{complaint_id}-{''.join(ALPHABET[byte & 31] for byte in digest[:6])}"


def event_key(ticket_key: str, event_id: str) -> str:
    """The idempotency key of one event at the ticket with that key."""
    return f"{ticket_key}-{event_id.rpartition(':')[2].upper()}"


def event_id(complaint_id: str, *causes: str) -> str:
    """Id of an event: the complaint's with a digest of all that caused it (its messages, a file). Holds no dot, so
    that it can serve as a `webhook-id`."""
    return f"{complaint_id}:{seed('event', *causes).hex()[:10]}"


def uuid_of(key: str) -> str:
    """The UUID (version 4 by its form) that stands for a key: the same for ever."""
    return str(uuid.UUID(bytes=hashlib.sha256(key.encode()).digest()[:16], version=4))


def _double(value: int) -> int:
    value <<= 1
    return value ^ 0b100101 if value & 32 else value


def _multiply(left: int, right: int) -> int:
    product = 0
    while left:
        if left & 1:
            product ^= right
        left >>= 1
        right = _double(right)
    return product


def _term_table() -> list[list[int]]:
    weights = [1]
    while len(weights) < 12:
        weights.append(_double(weights[-1]))
    return [[_multiply(digit, weight) for digit in range(32)] for weight in weights[1:]]


_TERMS = _term_table()
_PAIR_TERMS = tuple(
    tuple(_TERMS[at][pair >> 5] ^ _TERMS[at + 1][pair & 31] for pair in range(1024)) for at in range(0, 10, 2)
)


def _check(digits: list[int]) -> int:
    """Sum of digit · 2^position in GF(32): finds every single wrong character and every swap of two."""
    total = 0
    for terms, digit in zip(_TERMS, digits, strict=True):
        total ^= terms[digit]
    return total
