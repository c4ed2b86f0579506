"""Where a quoted mail begins: the line that announces it, its header block, its separator.

Works on lines; each test looks at a few lines of bounded length, so that time grows with the text's length only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from normalizer import trim_patterns as words

MAX_LINE = 400
"""Characters of a line, or of an announcement, beyond which it is none."""
_MAX_JOINED = 4
"""Lines over which one announcement may be wrapped."""
_MAX_HEADER_GAP = 2

_DATE = re.compile(
    r"\d{1,4}[-./年]\s?\d{1,2}[-./月]|\d{4}-\d{2}-\d{2}|\d{4}년|\d{1,2}月\d{1,2}日|\d{1,2}[:.h]\d{2}"
    r"|\b\d{1,2}(?:st|nd|rd|th|º|er)?\.?\s?(?:de |of )?[^\W\d_]{3,12}\.?,?\s?(?:de |of )?\d{2,4}"
    r"|[^\W\d_]{3,12}\.?[ -]\d{1,2}(?:st|nd|rd|th)?,? \d{2,4}"
)
_DIGIT = re.compile(r"\d")
_TIME = re.compile(r"\d{1,2}[:.h：]\d{2}")
_YEAR = re.compile(r"(?:19|20)\d\d")
_ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:]{1,200}@[\w.-]{1,200}")
_OPENS = re.compile(
    r"""^\s*(?:["'«“]|(?:on|am|le|il|in\ data|el|em|op|den|dnia|w\ dniu|på|man|at|în|dne|v|в|во|a|the|al|de|da|
    mon|tue|wed|thu|fri|sat|sun|monday|tuesday|wednesday|thursday|friday|saturday|sunday|
    пн|вт|ср|чт|пт|сб|вс|понедельник|вторник|среда|четверг|пятница|суббота|воскресенье|
    в\ письме\ от|[^\W\d_]{2,4}\.?)\b|\d|在|于|於|\[)""",
    re.IGNORECASE | re.VERBOSE,
)
_WROTE_END = re.compile(
    rf"(?:{words.WROTE})(?:\s*\(.{{0,20}}\))?\s*(?:[:：]|\.\.\.|…)?\s*[-_]{{0,40}}\s*$", re.IGNORECASE
)
_WROTE_COLON = re.compile(rf"(?:^|[\s\W])(?:{words.WROTE})[^:：\n]{{0,160}}[:：]\s*$", re.IGNORECASE)
_CJK_WROTE = re.compile(r"(?:写道|寫道|さんは書きました|のメール|님이 작성|작성)\s*[:：]\s*$")
_ZOHO = re.compile(rf"^\s*-{{2,}}.{{5,200}}(?:{words.WROTE})\s*-{{2,}}\s*$", re.IGNORECASE)

_LABEL_LINE = re.compile(
    rf"^[\s*>|]*(?:(?P<sender>{words.FROM_LABELS})|(?P<subject>{words.SUBJECT_LABELS})|(?P<other>{words.OTHER_LABELS}))"
    r"\s*\*{0,2}\s*(?:[:：]\*{0,2}|\|)\s*(?P<value>.*)$",
    re.IGNORECASE,
)
_LABEL_INSIDE = re.compile(rf"\s(?:{words.SUBJECT_LABELS})\s*[:：]", re.IGNORECASE)
_ORIGINAL = re.compile(
    rf"^[\s>*]*[-_=—–]{{2,60}}\s*(?:{words.ORIGINAL_MESSAGE})\s*[:：]?\s*[-_=—–*]{{0,60}}\s*$", re.IGNORECASE
)
_FORWARDED = re.compile(
    rf"^[\s>*]*(?:[-_=—–]{{2,60}}\s*(?:{words.FORWARDED_MESSAGE})\s*[:：]?\s*[-_=—–*]{{0,60}}|(?:{words.FORWARDED_MESSAGE})\s*[:：])\s*$",
    re.IGNORECASE,
)
_REPLY_ABOVE = re.compile(rf"^[\s>*#=_-]*(?:{words.REPLY_ABOVE})[\s.:*#=_-]*$", re.IGNORECASE)
_GROUPWISE = re.compile(r"^>>> .{3,200} (?:\d.{3,30})?>>>\s*$")
_INTRODUCES = re.compile(rf"(?:^|\W)(?:{words.WROTE}).{{0,80}}[:：]\s*$", re.IGNORECASE)
_SPACED_CJK = re.compile(r"(?<=[\u4e00-\u9fff])[ \u3000]{1,4}(?=[\u4e00-\u9fff])")
_PLAIN_ORIGINAL = re.compile(rf"^\s*(?:{words.ORIGINAL_MESSAGE})\s*[:：]?\s*$", re.IGNORECASE)
_RULE = re.compile(r"^\s*(?:[-_=*—–]{3,}|\|?\s*\|)\s*$")


@dataclass(frozen=True, slots=True)
class Mark:
    """An announcement found on lines `start` to `end` (exclusive)."""

    start: int
    end: int
    kind: str
    """`wrote` (a quote follows, marked or not), `header` (From/Sent/To/Subject), `original` or `forwarded`."""


def is_quoted(line: str) -> bool:
    return line.lstrip().startswith((">", "＞", "»")) and line.strip() != ">:"


def mark_at(lines: list[str], index: int) -> Mark | None:
    """The announcement that begins on line `index`, if any."""
    line = lines[index]
    if not line or len(line) > MAX_LINE:
        return None
    if _GROUPWISE.match(line):
        return Mark(index, index + 1, "original")
    if is_quoted(line):
        return None
    if line[0] in " -_=—–>*#" or line.rstrip().endswith((":", "：")):
        if _FORWARDED.match(line):
            return Mark(index, index + 1, "forwarded")
        if _ORIGINAL.match(line) or _REPLY_ABOVE.match(line):
            return Mark(index, index + 1, "original")
    return header_block(lines, index) or _announcement(lines, index)


def _announcement(lines: list[str], index: int) -> Mark | None:
    """`On …, … wrote:` in its many shapes, on one line or wrapped over up to four."""
    if not _OPENS.match(lines[index]) and not _names_first(lines[index]):
        return None
    joined = ""
    for count in range(min(_MAX_JOINED, len(lines) - index)):
        line = lines[index + count].strip()
        if not line or len(joined) + len(line) > MAX_LINE or (count and is_quoted(line)):
            return None
        joined = f"{joined} {line}" if joined else line
        if _is_announcement(joined):
            return Mark(index, index + count + 1, "wrote")
        if count == 0 and "@" not in line and not (_DIGIT.search(line) and _DATE.search(line)):
            return None
    return None


def _names_first(line: str) -> bool:
    return "@" in line or "于" in line or "於" in line or bool(_CJK_WROTE.search(line))


def _is_announcement(joined: str) -> bool:
    tail = joined[-1]
    if _ZOHO.match(joined):
        return True
    if tail in ":：":
        return _ends_like_announcement(joined)
    return (
        bool(_YEAR.search(joined))
        and bool(_TIME.search(joined) or _ADDRESS.search(joined))
        and bool(_WROTE_END.search(joined))
    )


def _ends_like_announcement(joined: str) -> bool:
    has_date = bool(_DATE.search(joined))
    has_address = "@" in joined and bool(_ADDRESS.search(joined))
    if _CJK_WROTE.search(joined):
        return has_date or has_address
    if (_WROTE_END.search(joined) or _WROTE_COLON.search(joined)) and (has_date or has_address):
        return True
    return has_address and bool(_TIME.search(joined)) and (has_date or bool(_YEAR.search(joined)))


def header_block(lines: list[str], index: int) -> Mark | None:
    """Lines like `From: … Sent: … To: … Subject: …` in any of the languages. A sender and a subject, or a
    sender with an address and two more fields: travel dates and places are no mail header."""
    first = _match_label(lines[index])
    if not first:
        return None
    seen: set[str] = set()
    end, gap, address = index, 0, False
    for position in range(index, min(index + 24, len(lines))):
        line = lines[position][:MAX_LINE]
        found = _match_label(line)
        if found:
            seen |= _kinds(found, line)
            end, gap = position + 1, 0
        elif (not line.strip() and (len(seen) >= 2 or position == index)) or (gap := gap + 1) > _MAX_HEADER_GAP:
            break
        address = address or "@" in line
    return Mark(index, end, "header") if _is_header(seen, address) else None


def _match_label(line: str) -> re.Match[str] | None:
    """Chinese labels are spread to one width with spaces: 日　期, 收 件 人."""
    line = line[:MAX_LINE]
    if not line.isascii():
        line = _SPACED_CJK.sub("", line[:16]) + line[16:]
    return _LABEL_LINE.match(line)


def introduces_quote(line: str) -> bool:
    """`Somebody wrote:`, which counts only when quoted lines follow."""
    return len(line) <= MAX_LINE and line.rstrip().endswith((":", "：")) and bool(_INTRODUCES.search(line))


def label_value(line: str) -> tuple[str, str] | None:
    """A header line's kind (`sender`, `subject`, `date`, else its label) and value."""
    found = _match_label(line)
    if not found:
        return None
    value = found["value"].strip(" \t*|")
    if found["sender"] or found["subject"]:
        return ("sender" if found["sender"] else "subject"), value
    return ("date" if _DATE.search(value) and "@" not in value else found["other"].lower()), value


def _kinds(found: re.Match[str], line: str) -> set[str]:
    kinds = {found.lastgroup or ""} if found["other"] is None else {f"other:{found['other'].lower()}"}
    if found["sender"]:
        kinds = {"sender"}
    elif found["subject"]:
        kinds = {"subject"}
    if _LABEL_INSIDE.search(line):
        kinds.add("subject")
    return kinds


def _is_header(seen: set[str], address: bool) -> bool:
    if "sender" not in seen:
        return False
    return ("subject" in seen and len(seen) >= 3) or (address and len(seen) >= 3) or (address and "subject" in seen)


def follows_plain_title(lines: list[str], index: int) -> bool:
    """`Original Message` without dashes counts when a header block stands below it."""
    if not _PLAIN_ORIGINAL.match(lines[index][:200]):
        return False
    below = next((position for position in range(index + 1, min(index + 4, len(lines))) if lines[position].strip()), -1)
    return below > 0 and header_block(lines, below) is not None


def is_rule(line: str) -> bool:
    """A line that only separates."""
    return bool(_RULE.match(line[:MAX_LINE]))
