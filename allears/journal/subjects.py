"""Subjects of mails as threads are told apart by them."""

from __future__ import annotations

import re

_MARK = re.compile(
    r"""^\s*(?:re|fwd?|aw|wg|sv|vs|vl|vb|tr|rv|ref|rif|res|enc|antw|doorst|odp|pd|ynt|ilt|atb|hа|на|отв|ответ|пересл|v[áa]|tov
    |απ|σχετ|προωθ|r|i|回复|回覆|回信|答复|答覆|返信|转发|轉寄|轉發|转寄|転送|회신|답장|전달|trả\ lời|ตอบ|ตอบกลับ|رد|השב)
    (?:\[\d+\]|\(\d+\)|\^\d+)?\s*[:：﹕]\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_TAG = re.compile(r"^\s*(?:\[[^\]]{1,40}\]|【[^】]{1,40}】)\s*(?=\S)")
_MAX_CHARACTERS = 1_000


def base_subject(subject: str) -> str:
    """The subject without reply and forward marks and bracketed tags, folded."""
    previous, subject = None, subject[:_MAX_CHARACTERS]
    while previous != subject:
        previous, subject = subject, _MARK.sub("", _TAG.sub("", subject))
    return " ".join(subject.split()).casefold()


def is_reply(subject: str) -> bool:
    """Whether it says so itself; a tag before it (`[EXTERNAL]`) is somebody else's word."""
    previous, subject = None, subject[:_MAX_CHARACTERS]
    while previous != subject:
        previous, subject = subject, _TAG.sub("", subject)
    return bool(_MARK.match(subject))
