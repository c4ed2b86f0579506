"""The header block that mail programs put above a quoted mail: From, Sent, To, Subject, in any language."""

from __future__ import annotations

import re
from dataclasses import dataclass

from normalizer.trim_patterns import LABELS, plain_view

MAX_LINE = 400
"""Characters of a line, or of an announcement, beyond which it is none."""
_MAX_LABEL = 40
_MAX_BLOCK = 24
_MAX_GAP = 2
"""Lines without a label that may stand in a block: a wrapped address, a blank line."""
_LEAD = " \t>*|_\u2022"
_DATE = re.compile(
    r"\d[-./] ?\d{1,2}[-./]|\d ?[年月년월]|\b\d{1,2}\b\D{1,20}\b(?:19|20|25)\d\d|\b(?:19|20|25)\d\d\D{1,20}\d{1,2}\b"
)
_TIME = re.compile(r"(?<![.\d])\d{1,2}(?:[:h]\d\d(?!\.?\d)|\.\d\d(?![.\d])|:\d\d:\d\d| ?[時时点點시])")
_SUBJECT_INSIDE = re.compile(r"\s([^\s:]{3,12})\s?:\s")
_NAMED_ADDRESS = re.compile(r"\S ?[<\[](?:mailto:)?[^\s<>@]{1,100}@[\w.-]{1,100}[>\]]")


@dataclass(frozen=True, slots=True)
class Mark:
    """An announcement found on lines `start` to `end` (exclusive)."""

    start: int
    end: int
    kind: str
    """`wrote` (a quote follows, marked or not), `header` (From/Sent/To/Subject), `original` or `forwarded`."""


def has_date(text: str) -> bool:
    return bool(_DATE.search(text))


def has_time(text: str) -> bool:
    return bool(_TIME.search(text))


def label_value(line: str) -> tuple[str, str] | None:
    """A header line's kind (`sender`, `subject`, `date`, `other`) and value."""
    found = _split(line)
    if found is None:
        return None
    kind = _kind(found[0])
    return (kind, found[1]) if kind else None


def begins_with_label(line: str) -> bool:
    if line.isascii():
        at = line.find(":", 1, _MAX_LABEL)
        return at > 0 and line[:at].strip(_LEAD).lower() in LABELS
    found = _split(line)
    return found is not None and _kind(found[0]) != ""


def _split(line: str) -> tuple[str, str] | None:
    """What stands before and behind the first colon (or bar, or tab: cells of a table)."""
    line = plain_view(line[:MAX_LINE]).lstrip(" >*_\u2022")
    is_cell = line.startswith(("|", "\t"))
    line = line.lstrip(_LEAD)
    at = line.find("|" if is_cell else ":", 1, _MAX_LABEL)
    tab = line.find("\t", 1, _MAX_LABEL)
    if tab > 0 and not 0 < at < tab:
        at = tab
    if at < 1:
        return None
    label = line[:at].strip(_LEAD).lower()
    return label, line[at + 1 :].strip(" \t*|_")


def _kind(label: str) -> str:
    """Chinese labels are spread to one width with spaces: 日　期, 收 件 人."""
    return LABELS.get(label if label.isascii() else label.replace(" ", ""), "")


def header_block(lines: list[str], index: int) -> Mark | None:
    """Lines like `From: … Sent: … To: … Subject: …` in any of the languages. A sender and a subject, or a
    sender with an address and two more fields: travel dates and places are no mail header."""
    first = _split(lines[index])
    if first is None:
        return None
    if not _kind(first[0]):
        return _unknown_block(lines, index) if "@" in first[1] and _may_be_label(first[0]) else None
    seen: set[str] = set()
    end, gap, address = index, 0, False
    for position in range(index, min(index + _MAX_BLOCK, len(lines))):
        line = lines[position][:MAX_LINE]
        found = _split(line) if line else None
        kind = _kind(found[0]) if found else ""
        if found and kind:
            seen.add(f"other:{found[0]}" if kind == "other" else kind)
            if _names_subject(found[1]):
                seen.add("subject")
            end, gap = position + 1, 0
        elif (not line.strip() and (len(seen) >= 2 or position == index)) or (gap := gap + 1) > _MAX_GAP:
            break
        address = address or "@" in line
    return Mark(index, end, "header") if _is_header(seen, address) else None


def _names_subject(value: str) -> bool:
    """`À : someone Objet : title`: two fields run together."""
    return any(_kind(found[1].lower()) == "subject" for found in _SUBJECT_INSIDE.finditer(value[:200]))


def _is_header(seen: set[str], address: bool) -> bool:
    if "sender" not in seen:
        return False
    if "subject" in seen:
        return address or len(seen) >= 3
    return address and len(seen) >= 3


def may_be_field(line: str) -> bool:
    """Whether `line` has the shape of a header field, whatever its label."""
    found = _split(line) if line else None
    return found is not None and _may_be_label(found[0]) and bool(found[1])


def _may_be_label(label: str) -> bool:
    return len(label) <= 20 and not any(map(str.isdigit, label))


def _unknown_block(lines: list[str], index: int) -> Mark | None:
    """The block in a language nobody taught us: a named address, then among the next fields a moment, then more."""
    found = [_split(line) for line in lines[index : index + 5]]
    fields = [field for field in found[: found.index(None) if None in found else 5] if field is not None]
    if len(fields) < 3 or not _NAMED_ADDRESS.search(fields[0][1]):
        return None
    moment = any(has_date(value) and has_time(value) and "@" not in value for _, value in fields[1:])
    return Mark(index, index + len(fields), "header") if moment else None
