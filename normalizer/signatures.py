"""Where a signature begins among the lines its author wrote."""

from __future__ import annotations

import re

from normalizer import trim_patterns as words

_DELIMITER = re.compile(r"^\s*(?:--|—|――|__|\+\+|==|--\s*\xa0?)\s*$")
_STRICT_DELIMITER = re.compile(r"^--[ \xa0]?$")
_SENT_FROM = re.compile(
    rf"^[\s|*_-]*(?:{words.SENT_FROM})(?:\s*[<(\[][^<>]{{0,200}}[>)\]])?[\s.。!|*_)>-]*$", re.IGNORECASE
)
_CJK_FROM = re.compile(r"^[\s|]*(?:发|發|發送|发送|寄|傳送|传送|傳|来|來)自|^\s*[从從]|^\s*通过|^\s*使用")
_MINE = re.compile(r"\b(?:my|meine[mn]|mon|mi|mio|mijn|min|meu|mit)\b", re.IGNORECASE)
_CLOSING = re.compile(rf"^\s*(?:{words.CLOSINGS})\s*[,，.。!！:：~～]*\s*$", re.IGNORECASE)
_DISCLAIMER = re.compile(rf"^[\s*_]*(?:{words.DISCLAIMERS})", re.IGNORECASE)
_ADDRESS_LINE = re.compile(
    r"^\s*[|<\[]?\s*(?:e-?mail\s*[:：]\s*|邮箱\s*[:：]\s*)?[^\s@|]{1,100}@[\w.-]{1,100}\s*[|>\]]?\s*$", re.IGNORECASE
)
_PIPE = re.compile(r"^\s*\|(?:\s*\|)?\s*$")
_LONGEST_SIGNATURE = 24
_LONGEST_AFTER_CLOSING = 10
_SIGNATURE_LINE = 90


def signature_start(lines: list[str]) -> int:
    """The index at which `lines` become signature; their count when there is none. A text is never all
    signature: something must stand above it."""
    end = len(lines)
    for index, line in enumerate(lines):
        if line and _starts_signature(lines, index, line[:250]) and any(map(str.strip, lines[:index])):
            end = index
            break
    return _without_address_lines(lines, end)


def _starts_signature(lines: list[str], index: int, line: str) -> bool:
    rest = len(lines) - index
    if _STRICT_DELIMITER.match(line):
        return True
    if _DELIMITER.match(line):
        return rest <= _LONGEST_SIGNATURE
    if _DISCLAIMER.match(line):
        return True
    if _PIPE.match(line):
        return rest <= _LONGEST_SIGNATURE
    is_last = not any(map(str.strip, lines[index + 1 : index + 100]))
    if (is_last or not lines[index - 1].strip()) and _is_sent_from(line, is_last=is_last):
        return True
    return bool(_CLOSING.match(line)) and _ends_soon(lines[index + 1 : index + 100])


def _is_sent_from(line: str, *, is_last: bool) -> bool:
    """A program or device that is known, or `my` something; an unknown name only at the very end."""
    if len(line) > 160 or not _SENT_FROM.match(line):
        return False
    if words.SENT_FROM_DEVICE.search(line):
        return True
    return not _CJK_FROM.match(line) and (is_last or bool(_MINE.search(line)))


def _ends_soon(after: list[str]) -> bool:
    """A closing is one when only a name, a title and such lines follow it."""
    said = [line for line in after[: 3 * _LONGEST_AFTER_CLOSING] if line.strip()]
    short = all(len(line) <= _SIGNATURE_LINE for line in said[:3])
    return short and len(said) <= _LONGEST_AFTER_CLOSING and not any(after[3 * _LONGEST_AFTER_CLOSING :])


def _without_address_lines(lines: list[str], end: int) -> int:
    """Foxmail and others sign with a bare address at the very end, below a blank line, under a name or not."""
    last = end
    while last and not lines[last - 1].strip():
        last -= 1
    if last < 2 or not _ADDRESS_LINE.match(lines[last - 1][:250]):
        return end
    start = last - 1
    if start >= 2 and lines[start - 1].strip() and len(lines[start - 1].strip()) <= 12 and not lines[start - 2].strip():
        start -= 1
    blank_above = start > 0 and not lines[start - 1].strip()
    return start if blank_above and any(map(str.strip, lines[:start])) else end
