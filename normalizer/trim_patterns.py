"""The words of `trim_patterns.toml`, ready to be looked up, and the plain view of a line they are compared with."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

_TABLE: dict[str, dict[str, list[str]]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

_WIDE = (("：", ":"), ("\xa0", " "), ("\u3000", " "), ("，", ","), ("、", ","), ("；", ";"), ("（", "("), ("）", ")"))
_RARE: dict[int, str | None] = dict.fromkeys(
    [0xAD, 0x061C, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)
_RARE |= dict.fromkeys([0x202F, 0x2007, 0x2008, 0x2009], " ")
_RARE |= {ord(wide): plain for wide, plain in zip("＞＜＞｜،؛", "><>|,;", strict=True)}
_RARE |= {zero + digit: str(digit) for zero in (0x0660, 0x06F0, 0x0966, 0x0E50, 0xFF10) for digit in range(10)}
_IS_RARE = re.compile(f"[{''.join(map(chr, _RARE))}]")


def plain_view(line: str) -> str:
    """`line` with ASCII digits, colons and spaces and without marks of direction; its length may differ."""
    if line.isascii():
        return line
    for wide, plain in _WIDE:
        line = line.replace(wide, plain)
    if _IS_RARE.search(line):
        line = line.translate(_RARE)
    return line.replace("&nbsp;", " ") if "&nbsp;" in line else line


def _first_words(phrases: frozenset[str] | tuple[str, ...]) -> frozenset[str]:
    """… and first characters where words are not set apart: what a line must begin with to be compared at all."""
    return frozenset(phrase[0] if phrase[0] >= "\u2e80" else phrase.split(" ", 1)[0] for phrase in phrases)


def _any_of(words: list[str]) -> str:
    return "|".join(words)


LABELS: dict[str, str] = {
    label.replace(" ", "") if not label.isascii() else label: kind
    for kind, labels in reversed(_TABLE["labels"].items())
    for label in labels
}
"""A header field's label, without spaces unless it is ASCII → `sender`, `subject`, `date` or `other`."""

ORIGINAL_TITLES = frozenset(_TABLE["titles"]["original"])
FORWARDED_TITLES = frozenset(_TABLE["titles"]["forwarded"])
FORWARDED_BY = tuple(_TABLE["titles"]["forwarded_by"])
FORWARD_ENDS = frozenset(_TABLE["titles"]["ends"])

WROTE = frozenset(_TABLE["announcements"]["wrote"])
WROTE_PARTS = tuple(_TABLE["announcements"]["wrote_parts"])
OPENERS = frozenset(_TABLE["announcements"]["openers"])
PROSE = frozenset(_TABLE["announcements"]["prose"])
PROSE_PARTS = tuple(_TABLE["announcements"]["prose_parts"])
REPLY_ABOVE = re.compile(rf"(?:{_any_of(_TABLE['announcements']['reply_above'])})", re.IGNORECASE)

BANNER = re.compile(_any_of(_TABLE["announcements"]["banners"]), re.IGNORECASE)

_SIGNATURES = _TABLE["signatures"]
SENT_FROM = tuple(_SIGNATURES["sent_from"])
SENT_FROM_FRAMED = tuple(_SIGNATURES["sent_from_framed"])
SENT_FROM_FRAMES = tuple(_SIGNATURES["sent_from_frames"])
SENT_FROM_LOOSE = tuple(_SIGNATURES["sent_from_loose"])
SENT_FROM_FIRST = _first_words(SENT_FROM + SENT_FROM_FRAMED + SENT_FROM_LOOSE)
SENT_FROM_ENDS = tuple(_SIGNATURES["sent_from_ends"])
DEVICES = tuple(_SIGNATURES["devices"])
TELLING = re.compile(
    rf"[\u3040-\u9fff],|, ?(?:which|so|it|und|et|y|e)\b|\b(?:{_any_of(_SIGNATURES['telling'])})\b", re.IGNORECASE
)
MINE = frozenset(_SIGNATURES["mine"])
CLOSINGS = frozenset(map(plain_view, _SIGNATURES["closings"]))
WEAK_CLOSINGS = frozenset(map(plain_view, _SIGNATURES["weak_closings"]))
CLOSING_FIRST = _first_words(CLOSINGS | WEAK_CLOSINGS)
CLOSING_JOINT = re.compile(_any_of(_SIGNATURES["closing_joints"]))
CLOSING_PLACE = re.compile(rf" (?:{_any_of(_SIGNATURES['closing_places'])}) \S{{2,20}}(?: \S{{2,20}})?$")
POSTSCRIPT = re.compile(_any_of(_SIGNATURES["postscripts"]), re.IGNORECASE)
AFTER_NAME = tuple(_SIGNATURES["after_name"])
CONTACT = tuple(_SIGNATURES["contact"])
DISCLAIMER = re.compile(_any_of(_SIGNATURES["disclaimers"]), re.IGNORECASE)
DISCLAIMER_FIRST = _first_words(tuple(_SIGNATURES["disclaimer_starts"]))
SIGNATURE_FIRST = SENT_FROM_FIRST | CLOSING_FIRST | DISCLAIMER_FIRST
"""First words (or characters) of all that may begin a signature, …"""
SIGNATURE_LAST = frozenset(end if end[0] < "\u2e80" else end[-1] for end in (*SENT_FROM_ENDS, *AFTER_NAME))
"""… and last ones."""

FORWARD_PREFIX = re.compile(
    rf"^\s*(?:\[[^\]]{{1,40}}\]\s*)?(?:{_any_of(_TABLE['forwards']['prefixes'])})\s*[:：]", re.IGNORECASE
)
PUBLIC_DOMAINS = frozenset(_TABLE["forwards"]["public_domains"])
"""Where an address says nothing of whom somebody works for."""
