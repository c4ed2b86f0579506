"""Header field values as they really arrive: RFC 2047 words, RFC 2231 parameters, dates and message ids.

Values come raw and still folded (a fold is a newline and white space). Nothing here raises.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from normalizer.readers import charset

_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?(.*?)(?:\?=|(?==\?[^?\s]{1,60}\?[bBqQ]\?)|\Z)", re.DOTALL)
_FOLD = re.compile(r"[\r\n][\r\n \t]*")
_FOLD_IN_WORD = re.compile(rb"=?[\r\n]+[ \t]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+")
_PARAMETER = re.compile(
    r"""([\w!#$%&'+^`{}|~.*-]{1,80})\s{0,20}=\s{0,20}(?:"((?:\\.|[^"\\]){0,65536})"|([^;]{0,65536}))""", re.DOTALL
)
_CONTINUATION = re.compile(r"(.+?)\*(\d{1,3})(\*?)")
_MESSAGE_ID = re.compile(r"<([^<>]{1,998})>")
_ZONE = re.compile(r"[-+]\d{4}\b|\b(?:GMT|UTC?|Z|[EMPA][SD]T|CDT)\b")
"""Without CST: in China it means +0800, to the standard library -0600."""
_MAX_PARAMETERS = 200
_THREAD_BYTES = 22
"""The last 16 of them are a GUID; the first 6 a time."""
_MAX_COMMON = 80
"""Bytes of a field that is short enough to come again and again: read once."""


def decode_value(raw: bytes, hint: str = "") -> str:
    """A header field as text: encoded words decoded, raw 8-bit bytes read in `hint` (the body's charset) or
    whatever they look like, folds undone, control characters gone."""
    return decode_words(raw_text(raw, hint)) if raw else ""


def raw_text(raw: bytes, hint: str = "") -> str:
    """The field's bytes as text, encoded words still in it."""
    return raw.decode("ascii") if raw.isascii() and b"\x1b" not in raw else charset.decode(raw, hint)


def decode_words(text: str) -> str:
    if "=?" in text:
        decoded = _decode_words_once(text)
        text = _decode_words_once(decoded) if "=?" in decoded and decoded != text else decoded
    if "\n" in text or "\r" in text:
        text = _FOLD.sub(" ", text)
    return _CONTROL.sub("", text).strip()


def _decode_words_once(text: str) -> str:
    """Neighbouring words of one charset are joined as bytes first: a character may be split between them."""
    out: list[str] = []
    pending, pending_charset, position = b"", "", 0
    for word in _WORD.finditer(text):
        between = text[position : word.start()]
        name = word[1].split("*", 1)[0].lower()
        if (between.strip() or name != pending_charset) and pending:
            out.append(charset.decode(pending, pending_charset))
            pending = b""
        if between.strip() or position == 0:
            out.append(between)
        pending, pending_charset = pending + _word_bytes(word), name
        position = word.end()
    if pending:
        out.append(charset.decode(pending, pending_charset))
    return "".join(out) + text[position:]


def _word_bytes(word: re.Match[str]) -> bytes:
    payload = word[3].encode("utf-8", "replace")
    if b"\n" in payload or b"\r" in payload:
        payload = _FOLD_IN_WORD.sub(b"", payload)
    if word[2] in "qQ":
        return binascii.a2b_qp(payload, header=True)
    from normalizer.readers.transfer import decode_base64

    return decode_base64(payload.translate(None, b" \t"))


def parameters(raw: bytes) -> tuple[str, Mapping[str, str]]:
    """`text/plain; charset=x; name*0="..."` → ("text/plain", {"charset": "x", "name": "..."}): lower-case
    value and names, values decoded; the first of several wins."""
    return _common_parameters(raw) if len(raw) <= _MAX_COMMON else _read_parameters(raw)


def _read_parameters(raw: bytes) -> tuple[str, Mapping[str, str]]:
    text = raw_text(raw)
    if "\n" in text or "\r" in text:
        text = _FOLD.sub(" ", text)
    value, _, rest = text.strip().partition(";")
    if "=" in value:
        value, rest = _without_value(value, rest)
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for count, found in enumerate(_PARAMETER.finditer(rest)):
        if count >= _MAX_PARAMETERS:
            break
        _keep_parameter(found, plain, pieces)
    for name, numbered in pieces.items():
        plain[name] = _join_pieces(numbered)
    return value.strip().strip("\"'").lower(), plain


_common_parameters = lru_cache(maxsize=512)(_read_parameters)


def _without_value(value: str, rest: str) -> tuple[str, str]:
    """`text/plain charset=x` and `filename=x` lack a semicolon, or the value before it."""
    first, _, more = value.partition(" ")
    return ("", f"{value};{rest}") if "=" in first else (first, f"{more};{rest}")


def _keep_parameter(
    found: re.Match[str], plain: dict[str, str], pieces: dict[str, dict[int, tuple[str, bool]]]
) -> None:
    name = found[1].lower()
    value = _parameter_value(found)
    continued = _CONTINUATION.fullmatch(name)
    if continued:
        pieces.setdefault(continued[1], {}).setdefault(int(continued[2]), (value, bool(continued[3])))
    elif name.endswith("*"):
        pieces.setdefault(name[:-1], {}).setdefault(0, (value, True))
    else:
        plain.setdefault(name, decode_words(value))


def _parameter_value(found: re.Match[str]) -> str:
    if found[2] is not None:
        return re.sub(r'\\(["\\])', r"\1", found[2])
    value = found[3].strip()
    if value.startswith('"'):
        return value.strip('"')
    return value.split(None, 1)[0] if value and found[1].lower() in ("charset", "boundary") else value


def _join_pieces(numbered: dict[int, tuple[str, bool]]) -> str:
    """RFC 2231: charset'language'percent-encoded, in pieces; each piece may or may not be encoded."""
    first, encoded = numbered[min(numbered)]
    name = ""
    if encoded and first.count("'") >= 2:
        name, _, first = first.split("'", 2)
    elif not any(is_encoded for _, is_encoded in numbered.values()):
        return decode_words("".join(numbered[index][0] for index in sorted(numbered)))
    values = {**numbered, min(numbered): (first, encoded)}
    data = b"".join(
        unquote_to_bytes(value) if is_encoded else value.encode("utf-8", "replace")
        for _, (value, is_encoded) in sorted(values.items())
    )
    return _CONTROL.sub("", decode_words(charset.decode(data, name)))


def message_ids(raw: bytes, most: int = 100) -> list[str]:
    """Message ids without their angle brackets, in order; the first one and the last ones when there are many."""
    if not raw:
        return []
    text = _CONTROL.sub("", _FOLD.sub(" ", raw_text(raw))).strip()
    found = ["".join(one.split()) for one in _MESSAGE_ID.findall(text)]  # a long one is folded inside
    if not found and text:
        found = [token.strip("<>,;\"'") for token in text.split() if "@" in token.strip("@")]
    if len(found) > most:
        found = [found[0], *found[-(most - 1) :]]
    return [one for one in found if one]


def outlook_thread(raw: bytes, *, answers: bool = False) -> str:
    """Thread-Index → one name for all mails of a conversation ([MS-OXOMSG] PidTagConversationIndex: 22 bytes, then
    5 for each answer); empty where there is none, or with `answers` where the mail begins it."""
    if not raw:
        return ""
    try:
        index = binascii.a2b_base64(raw[:200])
    except binascii.Error:
        return ""
    if len(index) < _THREAD_BYTES + (5 if answers else 0):
        return ""
    return f"thread-index:{index[6:_THREAD_BYTES].hex()}"


def parse_date(raw: bytes) -> datetime | None:
    """An aware time, or none where there is no date or zone in it that can be believed."""
    text = _FOLD.sub(" ", raw_text(raw)).strip()[:200]
    if not text or not any(character.isdigit() for character in text):
        return None
    return _parse_rfc_date(text) or _parse_iso_date(text)


def _parse_rfc_date(text: str) -> datetime | None:
    """The standard library reads a missing zone as UTC; here it is no date that can be believed."""
    try:
        parts = parsedate_tz(text)
        if parts is None or not _ZONE.search(text):
            return None
        zone = timezone(timedelta(seconds=parts[9])) if parts[9] else UTC
        moment = datetime(*parts[:5], min(parts[5], 59), tzinfo=zone)
        moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment


def _parse_iso_date(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(re.sub(r"\s+([-+]\d\d:?\d\d)(?:\s.*)?$", r"\1", text))
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else None


def trailing_date(received: bytes) -> datetime | None:
    """The time a relay wrote behind the last semicolon of its Received field."""
    return parse_date(received.rpartition(b";")[2])
