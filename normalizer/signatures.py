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
_TAIL = 16
"""Lines that are said, from the end, among which a closing or a device line may stand without a blank line above."""
_END_MARKS = " ,.!:~;-*_|)。！…\t"
_RULE = re.compile(r"[-_=*—―#~·─━＝－]{3,}$")
_SENTENCE = re.compile(r"[.!?。！？][\s\"'”)]*$|[!?。！？，；].|, (?:and|but|which|so|it|is|was|und|et|y|e)\b")
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
_LIST_FOOTER = re.compile(r"mailing list|listinfo|mailman|google ?groups|邮件列表", re.IGNORECASE)


def signature_start(lines: list[str]) -> int:
    """The index at which `lines` become signature; their count when there is none. A text is never all
    signature: something must stand above it."""
    count = len(lines)
    first = next((index for index, line in enumerate(lines) if line and not _RULE.match(line)), count)
    tail = _tail_start(lines)
    blank_above = True
    for index in range(first, count):
        line = lines[index]
        if line and index > first and (blank_above or index >= tail or len(line) <= 4):
            view = plain_view(line[:250]).strip()
            if view and _starts_signature(lines, index, view, blank_above):
                return index
        blank_above = not line
    return _without_name_block(lines, tail, first)


def _tail_start(lines: list[str]) -> int:
    said, index = 0, len(lines)
    while index and said < _TAIL:
        index -= 1
        said += bool(lines[index])
    return index


def _starts_signature(lines: list[str], index: int, view: str, blank_above: bool) -> bool:
    if view in _DELIMITERS:
        return lines[index] == "--" or len(lines) - index <= _LONGEST_SIGNATURE
    if len(view) <= 45 and _closes(lines, index, view):
        return True
    if _RULE.match(view):
        return _is_rule_of_signature(lines, index)
    if _is_sent_from(view) and (blank_above or _is_last(lines, index)):
        return _names_device(view) or _is_last(lines, index)
    return blank_above_or_rule(lines, index, blank_above) and _is_disclaimer(view)


def blank_above_or_rule(lines: list[str], index: int, blank_above: bool) -> bool:
    return blank_above or bool(_RULE.match(lines[index - 1]))


def _is_last(lines: list[str], index: int) -> bool:
    return not any(lines[index + 1 : index + 100])


def _is_disclaimer(view: str) -> bool:
    view = view.lstrip("*_ ")
    first = view.split(" ", 1)[0].lower().rstrip(":,.")
    if first not in words.DISCLAIMER_STARTS and view[:2] not in words.DISCLAIMER_STARTS and view[:1] not in "본이":
        return False
    return words.DISCLAIMER.match(view) is not None


def _is_sent_from(view: str) -> bool:
    """Begins or ends like `Sent from my …`, and is no sentence about where a parcel came from."""
    if len(view) > 160:
        return False
    view = _LINK.sub("", view)
    low = view.lower().lstrip("|*_-([ ")
    if not low.startswith(words.SENT_FROM) and not low.rstrip(_END_MARKS).endswith(words.SENT_FROM_ENDS):
        return False
    return not _SENTENCE.search(view.rstrip(_END_MARKS)) or bool(_APOLOGY.search(view))


def _names_device(view: str) -> bool:
    low = view.lower()
    tokens = {token.strip(".") for token in _WORD.findall(low)}
    if not words.MINE.isdisjoint(tokens) and low.isascii():
        return True
    return any(device in tokens if device.isascii() else device in low for device in words.DEVICES) or (
        any(device in low for device in words.DEVICES if len(device) > 3)
    )


def _closes(lines: list[str], index: int, view: str) -> bool:
    """A closing is one when only a name, a title and such lines follow it."""
    bare = view.strip(_END_MARKS).lower()
    if bare in words.CLOSINGS:
        return _ends_soon(lines[index + 1 : index + 100])
    if bare in words.WEAK_CLOSINGS:
        return _is_only_name(lines[index + 1 : index + 30])
    head, name = _closing_and_name(view)
    return bool(name) and (head in words.CLOSINGS) and _ends_soon(lines[index + 1 : index + 100])


def _closing_and_name(view: str) -> tuple[str, str]:
    """`LG Sabine`, `Best, John`, `З повагою, Оксана`, `林小芳 敬上`."""
    for mark in (",", " ", "!", "."):
        head, found, name = view.rpartition(mark) if mark == " " else view.partition(mark)
        while found:
            if head.strip(_END_MARKS).lower() in words.CLOSINGS and _is_name(name.strip()):
                return head.strip(_END_MARKS).lower(), name.strip()
            if mark != " " or " " not in head:
                break
            shorter, found, last = head.rpartition(mark)
            head, name = shorter, f"{last} {name}"
    return "", ""


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
    if not view or len(view) > 40:
        return False
    if view.isascii() or view[0] < "\u2e80":
        return bool(_LATIN_NAME.match(view))
    return _is_han_name(view) or (view[0] not in _SURNAMES and bool(_CJK_NAME.match(view)) and _has_kana_or_gap(view))


def _is_han_name(view: str) -> bool:
    if view[0] not in _SURNAMES or view in _NO_NAMES or view in words.WEAK_CLOSINGS or view in words.CLOSINGS:
        return False
    return bool(_HAN_NAME.match(view))


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
    if _is_disclaimer(said[0]) or _is_sent_from(said[0]) or _LIST_FOOTER.search(" ".join(said[:3])):
        return True
    if len(said) > 1 and _RULE.match(said[-1]):
        said.pop()
    if len(said) > _LONGEST_CONTACT or not all(map(_is_block_line, said)):
        return False
    return _is_name(said[0]) or any(_is_contact(line) for line in said)


def _is_contact(view: str) -> bool:
    low = view.lower()
    return any(word in low for word in words.CONTACT)


def _without_name_block(lines: list[str], tail: int, first: int) -> int:
    """Signed without a word of farewell: a last paragraph that is a bare address, a Chinese name alone, or a name
    with title, firm and numbers below it."""
    end = len(lines)
    last = end
    while last and not lines[last - 1]:
        last -= 1
    start = last
    while start > max(tail, first) and lines[start - 1]:
        start -= 1
    if start <= first or start < 2 or lines[start - 1] or last - start > _LONGEST_CONTACT:
        return end
    block = [plain_view(line[:250]).strip() for line in lines[start:last]]
    return start if _is_name_block(block) else end


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
