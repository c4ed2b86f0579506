"""Where a quoted mail begins: the line that announces it, its header block, its separator.

A line is looked at closely only when its first or last character, a colon or its last word makes it a candidate;
each test then sees a few lines of bounded length, so that time grows with the text's length only.
"""

from __future__ import annotations

import re

from normalizer import trim_patterns as words
from normalizer.header_lines import MAX_LINE, Mark, begins_with_label, has_date, has_time, header_block, may_be_field
from normalizer.trim_patterns import plain_view

__all__ = ["Mark", "header_block", "is_plain", "is_quoted", "is_rule", "mark_at", "title_kind"]

_MAX_WRAPPED = 3
"""Lines above its last one over which an announcement may be wrapped."""
_RULE_MARKS = "-_=—–―‐‑‒−*#~·─━＝－＿ "
_CLOSELY = frozenset(">＞»" + _RULE_MARKS + "|\t\u3000\u00a0\ufeff\u200b" + "[<")
_ENDS = frozenset(":：-_=*\u202c\u200e\u200f\u00a0)")
_BEFORE_COLON = re.compile(r"(?<=\S)@\w")
_BRACKETED = re.compile(r"[<(\[] ?(?:mailto:)?[^\s<>()@]{1,100}@[\w.-]{1,100} ?[>)\]]")
_WEEKDAY = re.compile(r"[^\W\d_]{2,12}\.?,? \d{1,2}[. ]")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_LAST_WORDS = words.WROTE | {"line", "zeile", "linie", "ligne", "línea", "linha", "ticket", "regel", "riga"}


def is_plain(line: str) -> bool:
    """Whether `line`, not empty, surely announces nothing and is no quote: nearly all lines are, and cost little."""
    if line[0] in _CLOSELY:
        return False
    if ":" in line or "：" in line:
        return line[-1] not in _ENDS and ":  " not in line and "@" not in line and not begins_with_label(line)
    if line[-1] == ">" and "@" in line:
        return False
    return line[line.rfind(" ") + 1 :].lower() not in _LAST_WORDS


def is_quoted(line: str) -> bool:
    if line.startswith(">"):
        return line != ">:"
    return line.lstrip(" \t\ufeff\u200b\u00a0").startswith((">", "＞", "» ")) and line.strip() != ">:"


def is_rule(line: str) -> bool:
    """A line that only separates."""
    bare = line.strip()
    return (len(bare) >= 3 and not bare.strip(_RULE_MARKS)) or bare in ("|", "| |", "||")


def mark_at(lines: list[str], index: int, floor: int = 0) -> Mark | None:
    """The announcement whose last (of a header block: first) line is `index`; it may begin up to three lines
    above, not above `floor`."""
    line = lines[index]
    if not line or len(line) > MAX_LINE:
        return None
    if is_quoted(line):
        is_groupwise = line.startswith(">>> ") and line.endswith(">>>") and len(line) > 10
        return Mark(index, index + 1, "original") if is_groupwise else None
    view = plain_view(line).strip()
    if not view:
        return None
    return (
        _titled(lines, index, view)
        or _header(lines, index, floor)
        or _wrote(lines, index, view, floor)
        or _wrote_inside(lines, index, view)
    )


def title_kind(view: str) -> str:
    """What a line says that has nothing but a title, with or without dashes: `original`, `forwarded`, or nothing."""
    title = view.strip(_RULE_MARKS + ">:").lower()
    if title in words.FORWARDED_TITLES or title.startswith(words.FORWARDED_BY):
        return "forwarded"
    return "original" if title in words.ORIGINAL_TITLES else ""


def _titled(lines: list[str], index: int, view: str) -> Mark | None:
    if view[0] in _RULE_MARKS and view[:2].strip(_RULE_MARKS) == "":
        return _between_dashes(lines, index, view)
    if view[-1] == ":" and title_kind(view) == "forwarded":
        return Mark(index, index + 1, "forwarded")
    if words.REPLY_ABOVE.match(view):
        return Mark(index, index + 1, "original")
    return None


def _between_dashes(lines: list[str], index: int, view: str) -> Mark | None:
    title = view.strip(_RULE_MARKS)
    if not title or len(title) > 200:
        return None
    kind = title_kind(title)
    if kind:
        return Mark(index, index + 1, kind)
    if words.REPLY_ABOVE.fullmatch(title.rstrip(".: ")):
        return Mark(index, index + 1, "original")
    if _tokens(title)[-1:] and _wrote_in(title) and (view[-1] in _RULE_MARKS or title[-1] == ":"):
        return Mark(index, index + 1, "wrote" if has_date(title) else "original")
    if len(title) <= 60 and view[-1] in _RULE_MARKS and _below_is_header(lines, index):
        return Mark(index, index + 1, "original")
    return None


def _below_is_header(lines: list[str], index: int) -> bool:
    below = next((at for at in range(index + 1, min(index + 4, len(lines))) if lines[at].strip()), -1)
    return below > 0 and header_block(lines, below) is not None


def _header(lines: list[str], index: int, floor: int) -> Mark | None:
    """The block, with fields above it whose labels nobody taught us and the title that stands there without dashes."""
    block = header_block(lines, index)
    if block is None:
        return None
    start = index
    while start > floor and index - start < 3 and may_be_field(lines[start - 1]):
        start -= 1
    if start < index and start > floor and lines[start - 1] and not is_rule(lines[start - 1]):
        start = index
    above = start - 1
    while above > floor and not lines[above].strip():
        above -= 1
    if above >= floor and len(lines[above]) <= 60 and (kind := title_kind(plain_view(lines[above]))):
        return Mark(above, block.end, "header" if kind == "original" else kind)
    return Mark(start, block.end, "header")


def _wrote(lines: list[str], index: int, view: str, floor: int) -> Mark | None:
    """`On …, … wrote:` in its many shapes, on one line or wrapped over up to four."""
    quoted = _is_followed_by_quote(lines, index)
    ends = view[-1] == ":" or _ends_in_wrote(view) or (quoted and _is_date_and_sender(view))
    if not ends or not (quoted or len(view) <= 3 or _says_when_or_who(view) or _ends_name_from_above(lines, index)):
        return None
    joined, found = view, -1
    for start in range(index, max(floor, index - _MAX_WRAPPED) - 1, -1):
        if start < index:
            above = plain_view(lines[start]).strip() if len(lines[start]) <= MAX_LINE else ""
            if not above or is_quoted(lines[start]) or len(above) + len(joined) > MAX_LINE:
                break
            if found >= 0 and not _goes_on_above(joined, above):
                break
            joined = f"{above} {joined}"
        if found >= 0 or _announces(joined, quoted):
            found = start
    return Mark(found, index + 1, "wrote") if found >= 0 else None


def _says_when_or_who(view: str) -> bool:
    return "@" in view or any(map(str.isdigit, view)) or _wrote_in(view)


def _ends_name_from_above(lines: list[str], index: int) -> bool:
    """The rest of a long name may stand alone on the last line."""
    return len(lines[index]) <= 60 and index > 0 and _says_when_or_who(plain_view(lines[index - 1][-MAX_LINE:]))


def _ends_in_wrote(view: str) -> bool:
    """Without a colon, as some programs have it."""
    return view[view.rfind(" ") + 1 :].strip("-").lower() in words.WROTE and bool(_YEAR.search(view))


def _is_date_and_sender(view: str) -> bool:
    """`2012/4/1 Somebody <address>`, as older mail programs announce marked lines."""
    return view[-1] == ">" and view[0].isdigit() and "@" in view and has_date(view)


def _wrote_inside(lines: list[str], index: int, view: str) -> Mark | None:
    """Yahoo's app begins the quote on the same line: `On …, …<…> wrote:   Dear …`."""
    at = view.find(":  ")
    if at < 0 or "@" not in view[:at]:
        return None
    head = view[: at + 1]
    return Mark(index, index + 1, "wrote") if _wrote_in(head) and has_date(head) and _is_whole(head) else None


def _announces(joined: str, quoted: bool) -> bool:
    """`quoted`: marked lines follow, so that little evidence will do."""
    address = _BEFORE_COLON.search(joined) is not None
    date = has_date(joined)
    wrote = _wrote_in(joined)
    if quoted and joined[-1] == ":":
        return wrote or date or address
    if not date and not (wrote and address):
        return False
    if _is_prose(joined) and not _BRACKETED.search(joined):
        return False
    if joined[-1] != ":":
        return (wrote and (address or has_time(joined))) or (quoted and _is_date_and_sender(joined))
    return wrote or (address and has_time(joined))


def _is_whole(joined: str) -> bool:
    """Whether an announcement has its beginning: more may stand on the line above otherwise."""
    if not has_date(joined) or not ("@" in joined or _wrote_in(joined)):
        return False
    return _opens(joined) or joined[0].isdigit() or _begins_with_name(joined)


def _opens(joined: str) -> bool:
    return joined[0] in "在*-[" or _WEEKDAY.match(joined) is not None or _begins_with_opener(joined)


def _begins_with_opener(joined: str) -> bool:
    first = joined.split(" ", 1)[0].strip("\"'«“„[(,.").lower()
    return first in words.OPENERS and not joined[0].islower()


def _begins_with_name(joined: str) -> bool:
    """`Somebody <address> 于…写道:`, `Somebody wrote on …:`, `среда, 1 мая …`."""
    if joined[0] in "<(" or joined[0].islower():
        return False
    at = joined.find("@")
    return (at > 0 and " " in joined[:at]) or (at < 0 and joined[0].isupper() and _wrote_in(joined))


def _goes_on_above(joined: str, above: str) -> bool:
    """Whether what is known to announce began on the line `above`."""
    if above[-1] in ".!?。！？:…":
        return False
    if joined[0] in "<(" or above[-1] in "<(於于":
        return True
    if above[-1] == ",":  # a salutation, too, ends in a comma
        return not (_begins_with_opener(joined) and _is_whole(joined))
    return not (_is_whole(joined) and (_opens(joined) or "@" in joined or "@" not in above))


def _is_followed_by_quote(lines: list[str], index: int) -> bool:
    below = next((line for line in lines[index + 1 : index + 4] if line.strip()), "")
    return is_quoted(below)


def _wrote_in(text: str) -> bool:
    return not words.WROTE.isdisjoint(_tokens(text)) or (
        not text.isascii() and any(part in text for part in words.WROTE_PARTS)
    )


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.lower())


def _is_prose(joined: str) -> bool:
    return not words.PROSE.isdisjoint(_tokens(joined)) or any(part in joined for part in words.PROSE_PARTS)
