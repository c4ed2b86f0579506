"""Where a signature begins among the lines its author wrote.

Only lines that begin a paragraph, and the last few, are looked at: nothing else begins a signature.
"""

from __future__ import annotations

import re

from normalizer import trim_patterns as words
from normalizer.trim_patterns import plain_view

_DELIMITERS = frozenset(["--", "—", "――", "__", "++", "==", "——", "---", "___", "|", "| |", "--=20"])
_LONGEST_SIGNATURE = 24
_LONGEST_AFTER_CLOSING = 10
_LONGEST_CONTACT = 8
_SIGNATURE_LINE = 90
_LONGEST_CLOSING = 45
_TAIL = 16
"""Lines that are said, from the end, among which a closing or a device line may stand without a blank line above."""
_END_MARKS = " ,.!:~;-*_|)。！…\t"
_MARKS = frozenset("-_=*—―#~·─━＝－+|<([{")
_RULE = re.compile(r"[-_=*—―#~·─━＝－]{3,}$")
_SENTENCE = re.compile(r"[.!?。！？][\s\"'”)]*$|[!?。！？；，].")
_APOLOGY = re.compile(
    r"typo|brev|excuse|short|auto-?correct|spelling|tipp|fehler|kürze|erreurs|fautes|breved", re.IGNORECASE
)
_LINK = re.compile(r"\s*[<(\[](?:https?:|www\.)[^\s<>]{1,200}[>)\]]")
_NO_NAMES = frozenset(
    [
        "周一",
        "周二",
        "周三",
        "周四",
        "周五",
        "周六",
        "周日",
        "周末",
        "黄色",
        "白色",
        "严重",
        "何时",
        "任何",
        "方便",
        "万分",
    ]
)
_ALSO_NAMES = frozenset(["best", "t", "yours", "kindly", "warmly", "att", "yt", "vh", "br", "kr", "lp", "bg", "salam"])
"""Best Buy, T Mobile: with a name behind it, such a closing needs a comma."""
_WORD = re.compile(r"[\w.+-]+")
_LATIN_NAME = re.compile(
    r"(?:[^\W\d_a-zß-öø-ÿ][\w.'’-]{0,20}|de|da|di|del|van|von|der|den|la|le|bin|al|dos|y|e)"
    r"(?: (?:[^\W\d_a-zß-öø-ÿ][\w.'’-]{0,20}|de|da|di|del|van|von|der|den|la|le|bin|al|dos|y|e)){0,4},?$"
)
_SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蔡蒋余于杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
    "張劉陳楊黃趙吳孫馬羅鄭謝許韓馮鄧蕭葉蘇呂盧鍾譚陸賈韋鄒閻龍賀顧龔萬錢嚴湯施洪柯簡游詹賴莊"
)
_HAN_NAME = re.compile(r"[\u4e00-\u9fff](?: ?[\u4e00-\u9fff]){1,2}(?: [A-Za-z .]{2,30})?$")
_CJK_NAME = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3][\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3 ]{1,9}$")
_BARE_DATE = re.compile(
    r"(?:\d{4}(?:[-/.]|年) ?\d{1,2}(?:[-/.]|月) ?\d{1,2}日?|\d{1,2}[./]\d{1,2}[./]\d{4})(?: ?[^\w\s]?[\w:]{1,8}){0,2}"
)
_LIST_FOOTER = re.compile(r"mailing list|listinfo|mailman|google ?groups|邮件列表", re.IGNORECASE)


def signature_start(lines: list[str]) -> int:
    """The index at which `lines` become signature; their count when there is none. A text is never all
    signature: something must stand above it."""
    first, tail, last = _bounds(lines)
    blank_above = False
    for index in range(first + 1, last + 1):
        line = lines[index]
        if not line:
            blank_above = True
            continue
        looked_at = blank_above or index == last or _is_short(line, in_tail=index >= tail) or line[:5] == "-----"
        if looked_at and _may_start(line):
            view = plain_view(line[:250]).strip()
            if view and _starts_signature(lines, index, view, blank_above):
                return index
        blank_above = False
    return _without_name_block(lines, tail, first, last)


def postscript(lines: list[str]) -> list[str]:
    """What follows a signature and is text again, up to the end of its paragraph."""
    for index, line in enumerate(lines[:_LONGEST_SIGNATURE]):
        if line and words.POSTSCRIPT.match(line):
            end = next((at for at in range(index, len(lines)) if not lines[at]), len(lines))
            return ["", *lines[index:end]]
    return []


def _bounds(lines: list[str]) -> tuple[int, int, int]:
    """The first line that says something, where the tail begins, and the last line (-1 when all is blank)."""
    last = len(lines) - 1
    while last >= 0 and not lines[last]:
        last -= 1
    first = next((index for index, line in enumerate(lines) if line and not _RULE.match(line)), last)
    tail, said = last + 1, 0
    while tail > max(first, 0) and said < _TAIL:
        tail -= 1
        said += bool(lines[tail])
    return first, tail, last


def _is_short(line: str, *, in_tail: bool) -> bool:
    if not in_tail:
        return len(line) <= 4
    return len(line) <= (_LONGEST_CLOSING if line[0] < "\u2e80" else _LONGEST_CLOSING // 2)


def _may_start(line: str) -> bool:
    """By its first or last word or character; most lines end here."""
    if line[0] in _MARKS or line[0].isspace():
        return True
    if _first(line.lower()) in words.SIGNATURE_FIRST:
        return True
    end = line.rstrip(_END_MARKS)
    return end[end.rfind(" ") + 1 :].lower() in words.SIGNATURE_LAST or end[-1:] in words.SIGNATURE_LAST


def _first(low: str) -> str:
    """The first word; the first character where words are not set apart."""
    return low[0] if low[:1] >= "\u2e80" else low.split(" ", 1)[0].strip(_END_MARKS)


def _starts_signature(lines: list[str], index: int, view: str, blank_above: bool) -> bool:
    if view.startswith("-----BEGIN PGP SIGNATURE"):
        return True
    if view in _DELIMITERS:
        return lines[index] == "--" or len(lines) - index <= _LONGEST_SIGNATURE
    if _RULE.match(view):
        return _is_rule_of_signature(lines, index)
    low = view.lower()
    if len(view) <= _LONGEST_CLOSING and _closes(lines, index, view, low):
        return True
    is_last = _is_last(lines, index)
    if (blank_above or is_last) and _is_sent_from(view, low, is_last=is_last):
        return True
    return (blank_above or bool(_RULE.match(lines[index - 1]))) and _is_disclaimer(view)


def _is_last(lines: list[str], index: int) -> bool:
    return not any(lines[index + 1 : index + 100])


def _is_disclaimer(view: str) -> bool:
    view = view.lstrip("*_ ")
    if _first(view.lower()) not in words.DISCLAIMER_FIRST:
        return False
    return words.DISCLAIMER.match(view) is not None


def _is_sent_from(view: str, low: str, *, is_last: bool) -> bool:
    """`Sent from my …`, `… から送信`: names a device or program, and is no sentence about where a parcel came from.
    In English an unknown device will do at the very end: people are inventive there."""
    if len(view) > 160:
        return False
    low = low.lstrip("|*_-([ ")
    bare = _LINK.sub("", low).rstrip(_END_MARKS) if "http" in low or "www" in low else low.rstrip(_END_MARKS)
    if not (_first(low) in words.SENT_FROM_FIRST and _begins_sent_from(low, bare)):
        return bare.endswith(words.SENT_FROM_ENDS) and _names_device(bare)
    if (_SENTENCE.search(bare) or words.TELLING.search(bare)) and "outlook" not in bare and not _APOLOGY.search(bare):
        return False
    return _names_device(bare) or (is_last and low.startswith("sent from "))


def _begins_sent_from(low: str, bare: str) -> bool:
    if low.startswith(words.SENT_FROM):
        return True
    if low.startswith(words.SENT_FROM_LOOSE):
        return bare.rstrip("0123456789 版").endswith(words.DEVICES)
    return low.startswith(words.SENT_FROM_FRAMED) and bare.endswith(words.SENT_FROM_FRAMES)


def _names_device(low: str) -> bool:
    tokens = {token.strip(".") for token in _WORD.findall(low)}
    if low.isascii() and not words.MINE.isdisjoint(tokens):
        return True
    return any(device in tokens or (len(device) > 3 and device in low) for device in words.DEVICES) or (
        not low.isascii() and any(device in low for device in words.DEVICES)
    )


def _closes(lines: list[str], index: int, view: str, low: str) -> bool:
    """A closing is one when only a name, a title and such lines follow it."""
    if _first(low) in words.CLOSING_FIRST:
        bare = low.strip(_END_MARKS)
        if _is_closing(bare):
            return _ends_soon(lines[index + 1 : index + 100])
        if bare in words.WEAK_CLOSINGS:
            return _is_only_name(lines[index + 1 : index + 30])
        if _has_closing_and_name(view):
            return _ends_soon(lines[index + 1 : index + 100])
    name = view.rstrip(_END_MARKS)
    signed = next((name.removesuffix(word) for word in words.AFTER_NAME if name.endswith(" " + word)), "")
    return bool(signed) and _is_name(signed.strip()) and _is_last(lines, index)


def _is_closing(bare: str) -> bool:
    """Also `vielen Dank und liebe Grüße aus Bremen`, `Mit freundlichen Grüßen / Kind regards`."""
    if bare in words.CLOSINGS:
        return True
    *thanks, last = words.CLOSING_JOINT.split(words.CLOSING_PLACE.sub("", bare))
    return last in words.CLOSINGS and all(part in words.CLOSINGS or part in words.WEAK_CLOSINGS for part in thanks)


def _has_closing_and_name(view: str) -> bool:
    """`LG Sabine`, `Best, John`, `З повагою, Оксана`: some closing, then a name, on one line."""
    parts = view.split(" ")
    for count in range(1, min(len(parts), 5)):
        head = " ".join(parts[:count]).strip(_END_MARKS).lower()
        is_clear = count > 1 or head not in _ALSO_NAMES or parts[0].endswith((",", "!"))
        if is_clear and head in words.CLOSINGS and _is_name(" ".join(parts[count:]).strip()):
            return True
    head, _, name = view.partition(",")
    return head.lower() in words.CLOSINGS and _is_name(name.strip())


def _ends_soon(after: list[str]) -> bool:
    said = [line for line in after[: 3 * _LONGEST_AFTER_CLOSING] if line]
    short = all(len(line) <= _SIGNATURE_LINE for line in said[:3])
    return short and len(said) <= _LONGEST_AFTER_CLOSING and not any(after[3 * _LONGEST_AFTER_CLOSING :])


def _is_only_name(after: list[str]) -> bool:
    """Below a closing that may also be part of the text: a name, and at most a few lines that are no sentence."""
    said = [plain_view(line[:250]).strip() for line in after if line]
    if not said or len(said) > _LONGEST_CONTACT:
        return False
    return _is_name(said[0]) and all(_is_block_line(line) for line in said[1:])


def _is_name(view: str) -> bool:
    view = view.strip(" *_|-,.")
    if not view or len(view) > 40 or view.lower() in words.CLOSINGS or view.lower() in words.WEAK_CLOSINGS:
        return False
    if view.isascii() or view[0] < "\u2e80":
        return bool(_LATIN_NAME.match(view))
    return _is_han_name(view) or (view[0] not in _SURNAMES and bool(_CJK_NAME.match(view)) and _has_kana_or_gap(view))


def _is_han_name(view: str) -> bool:
    return view[0] in _SURNAMES and view not in _NO_NAMES and bool(_HAN_NAME.match(view))


def _has_kana_or_gap(view: str) -> bool:
    """`中村 陽子`, `김지영 드림`: not just any three characters."""
    return " " in view or "\uac00" <= view[0] <= "\ud7a3"


def _is_block_line(view: str) -> bool:
    return len(view) <= 70 and not _SENTENCE.search(view)


def _is_rule_of_signature(lines: list[str], index: int) -> bool:
    """A rule with a list's footer, a virus scanner's or a signature below it, to the end."""
    said = [plain_view(line[:250]).strip() for line in lines[index + 1 : index + 60] if line]
    if not said or len(lines) - index > 60:
        return False
    if (
        _is_disclaimer(said[0])
        or _is_sent_from(said[0], said[0].lower(), is_last=False)
        or _LIST_FOOTER.search(" ".join(said[:3]))
    ):
        return True
    if len(said) > 1 and _RULE.match(said[-1]):
        said.pop()
    if len(said) > _LONGEST_CONTACT or not all(map(_is_block_line, said)):
        return False
    return _is_name(said[0]) or any(_is_contact(line) for line in said)


def _is_contact(view: str) -> bool:
    low = view.lower()
    return any(word in low for word in words.CONTACT)


def _without_name_block(lines: list[str], tail: int, first: int, last: int) -> int:
    """Signed without a word of farewell: a last paragraph that is a bare address, a date, a Chinese name alone, or
    a name with title, firm and numbers below it."""
    start = _paragraph_start(lines, last, max(tail, first))
    if start <= first or start < 2 or lines[start - 1] or last + 1 - start > _LONGEST_CONTACT:
        return len(lines)
    block = [plain_view(line[:250]).strip() for line in lines[start : last + 1]]
    above = start - 1
    while above > first and not lines[above]:
        above -= 1
    said_above = plain_view(lines[above][:250]).strip()
    if above > first and len(block) == 1 and _is_handle(block[0]) and _BARE_DATE.fullmatch(said_above):
        return above
    if said_above.endswith((":", ",")):
        return len(lines)
    if _BARE_DATE.fullmatch(block[-1]):
        block.pop()
        return start if not block or (len(block) == 1 and _is_name(block[0])) else len(lines)
    return start if _is_name_block(block) else len(lines)


def _paragraph_start(lines: list[str], last: int, floor: int) -> int:
    start = last + 1
    while start > floor and lines[start - 1]:
        start -= 1
    return start


def _is_handle(view: str) -> bool:
    return len(view) <= 20 and " " not in view and view[-1:] not in ".!?。！？"


def _is_name_block(block: list[str]) -> bool:
    *above, lowest = block
    if _is_bare_address(lowest) and (not above or (len(above) == 1 and len(above[0]) <= 12)):
        return True
    if not all(map(_is_block_line, block)) or not _is_name(block[0].split("|", 1)[0].strip()):
        return False
    return _is_han_name(block[0]) or any(map(_is_contact, block[1:]))


def _is_bare_address(view: str) -> bool:
    view = view.lower().removeprefix("e-mail:").removeprefix("email:").removeprefix("邮箱:").strip(" |<>[]")
    name, at, domain = view.partition("@")
    return bool(at and name and "." in domain) and " " not in view and "@" not in domain
