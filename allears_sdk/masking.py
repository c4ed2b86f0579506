"""Masks for personal data: enough stays to recognise a number by, never enough to use it.

`phone` 138****8000 · `email` z***@example.com · `id_card` 110***********2836 · `bank_card` 6222 **** **** 1234.
Words inside longer ids (ALE-…, hashes, tracking numbers, timestamps) and public hotlines are left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from typing import Any

KINDS = ("email", "id_card", "bank_card", "phone")

_START = r"(?<![A-Za-z0-9_\d])(?<![A-Za-z0-9_\d]-)"
_END = r"(?![A-Za-z0-9_\d])(?!-[A-Za-z0-9_\d])"

_GAP = r"[ \u00a0\u3000.-]?"
"""What stands between groups of digits; one character, so that no pattern wanders."""

_NUMBER = re.compile(r"(?:\d[^\d\n]?){6}")
"""No number that is masked has fewer digits; most texts have none."""
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9.+%'_-])([A-Za-z0-9.+%'_-]{1,64}|[^\W\x00-\x7f]{1,64})([@＠])"
    r"((?:[\w-]{1,63}[.．]){1,8}[^\W\d_]{2,24})(?![\w@])"
)
_ID_CARD = re.compile(rf"{_START}\d{{6}}{_GAP}\d{{4}}{_GAP}\d{{4}}{_GAP}\d{{3}}[\dXxＸｘ]{_END}")
_HONG_KONG_ID = re.compile(rf"{_START}([A-Z]{{1,2}})(\d{{6}}) ?[(（]([\dA])[)）]")
_NAMED_ID = re.compile(
    r"((?:身[份分][证證]|[证證]件|[护護]照|通行[证證]|回[乡鄉][证證]|居[留住][证證]|passport|\bID\b)[^\n\dA-Za-z]{0,8}"
    r"(?:(?:number|card|no\.?|is)[^\n\dA-Za-z]{0,4}){0,2})"
    r"([A-Z]{1,2}\d{6,10}|\d{9})(?![\dA-Za-z])",
    re.IGNORECASE,
)
_BANK_CARD = re.compile(rf"{_START}(?:[3-6３-６]\d|[2２][2-7２-７])(?:{_GAP}\d){{11,17}}{_END}")
_PHONES = (
    re.compile(
        rf"{_START}(?P<kept>(?:(?:[+＋]|00)?[8８][6６]{_GAP})?[1１][3-9３-９]\d){_GAP}\d{{4}}{_GAP}(?P<tail>\d{{4}}){_END}"
    ),
    re.compile(
        rf"{_START}(?P<kept>[1１](?P<gap>[ \u00a0\u3000.-])[3-9３-９](?P=gap)\d)(?:(?P=gap)\d){{4}}(?P=gap)"
        rf"(?P<tail>\d(?:(?P=gap)\d){{3}}){_END}"
    ),
    re.compile(rf"{_START}(?P<kept>\(?0\d{{2,3}}\)?[ -]?)\d{{3,4}}[ -]?(?P<tail>\d{{4}}){_END}"),
    re.compile(rf"{_START}(?P<kept>0\d{{3,4}}[ -])\d{{3}}[ -]?(?P<tail>\d{{3}}){_END}"),
    re.compile(rf"{_START}(?P<kept>\+\d{{1,3}})(?:[ .()-]{{0,2}}\d){{5,10}}[ .-]?(?P<tail>\d\d){_END}"),
    re.compile(rf"{_START}(?P<kept>\(?\d{{3}}\)?[ .-]{{1,2}})\d{{3}}[.-](?P<tail>\d{{4}}){_END}"),
)
_HOTLINE = re.compile(r"(?:(?:\+|00)?86)?[48]00\d{7}|1[012]\d|1[012]\d{3}|9[56]\d{3,4}")
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_CARD_DIGITS = range(13, 20)


def mask_text(text: str, kinds: Collection[str]) -> str:
    """`text` with the data of these kinds masked. Raises ValueError for a kind that is none of `KINDS`."""
    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise ValueError(f"cannot mask {', '.join(sorted(unknown))}; kinds: {', '.join(KINDS)}")
    has_number = _NUMBER.search(text) is not None
    for kind in KINDS:
        if kind in kinds and (has_number or kind == "email"):
            text = _MASKS[kind](text)
    return text


def mask_payload(payload: bytes, kinds: Collection[str]) -> bytes:
    """A rendered payload with every string value of its JSON masked; one that is not JSON is masked as text.

    Raises ValueError for bytes that are no text: better not sent than sent unmasked.
    """
    if not kinds:
        return payload
    text = payload.decode()
    try:
        value = json.loads(text)
    except ValueError:
        return mask_text(text, kinds).encode()
    return json.dumps(_mask_value(value, kinds), ensure_ascii=False, separators=(",", ":")).encode()


def _mask_value(value: Any, kinds: Collection[str]) -> Any:
    if isinstance(value, str):
        return mask_text(value, kinds)
    if isinstance(value, list):
        return [_mask_value(item, kinds) for item in value]
    if isinstance(value, dict):
        return {key: _mask_value(item, kinds) for key, item in value.items()}
    return value


def is_hotline(number: str) -> bool:
    """A public number, nobody's own: 12315, 110, 95588, 400-820-8820; separators do not count."""
    return _HOTLINE.fullmatch(re.sub(r"[ ().-]", "", number)) is not None


def _mask_emails(text: str) -> str:
    if "@" not in text and "＠" not in text:
        return text
    return _EMAIL.sub(lambda match: f"{match[1][0]}***{match[2]}{match[3]}", text)


def _mask_id_cards(text: str) -> str:
    """Mainland numbers and Hong Kong's by their check characters; Taiwan's, passports and permits where they are said
    to be such, for orders look like them."""
    text = _ID_CARD.sub(lambda match: _starred(match[0], 3, 4) if _is_id_card(match[0]) else match[0], text)
    text = _HONG_KONG_ID.sub(lambda match: _starred(match[0], 1, 2) if _is_hong_kong_id(match) else match[0], text)
    return _NAMED_ID.sub(lambda match: f"{match[1]}{_starred(match[2], 1, 2)}", text)


def _mask_bank_cards(text: str) -> str:
    return _BANK_CARD.sub(lambda match: _starred(match[0], 4, 4) if _is_card(match[0]) else match[0], text)


def _mask_phones(text: str) -> str:
    for pattern in _PHONES:
        text = pattern.sub(_mask_phone, text)
    return text


def _mask_phone(match: re.Match[str]) -> str:
    return match[0] if is_hotline(match[0]) else f"{match['kept']}****{match['tail']}"


_MASKS: dict[str, Callable[[str], str]] = {
    "email": _mask_emails,
    "id_card": _mask_id_cards,
    "bank_card": _mask_bank_cards,
    "phone": _mask_phones,
}


def _starred(text: str, first: int, last: int) -> str:
    """All but the first and last letters and digits as stars; separators stay."""
    places = [index for index, letter in enumerate(text) if letter.isalnum()]
    hidden = set(places[first:-last])
    return "".join("*" if index in hidden else letter for index, letter in enumerate(text))


def _is_id_card(text: str) -> bool:
    """GB 11643: the last of 18 places checks the others."""
    places = [letter for letter in text if letter.isalnum()]
    total = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, places[:17], strict=True))
    last = places[17]
    return _ID_CHECKS[total % 11] == (str(int(last)) if last.isdigit() else "X")


def _is_hong_kong_id(match: re.Match[str]) -> bool:
    """One letter or two, six digits and a check character, 10 written A; weights 9 to 1, a missing letter counts 36."""
    letters = [36] * (2 - len(match[1])) + [ord(letter) - ord("A") + 10 for letter in match[1]]
    values = [*letters, *(int(digit) for digit in match[2]), 10 if match[3] == "A" else int(match[3])]
    return sum(weight * value for weight, value in zip(range(9, 0, -1), values, strict=True)) % 11 == 0


def _is_card(text: str) -> bool:
    """Luhn."""
    digits = [int(letter) for letter in text if letter.isdigit()]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return len(digits) in _CARD_DIGITS and (doubled + sum(digits[-1::-2])) % 10 == 0
