"""A title: the subject without its prefixes, else the first clause that says something."""

from __future__ import annotations

import re

from normalizer.fields.nature import is_greeting

MAX_TITLE = 60
_PREFIX = re.compile(
    r"^\s*(?:(?:re|fwd?|aw|wg|sv|答复|回复|转发|答覆|回覆|轉發|轉寄|主题|主題)\s*(?:\[\d+\])?\s*[:：]\s*)+",
    re.IGNORECASE,
)
_BREAK = re.compile(r"[。！？!?；;\n,，…]+|\.(?=\s|$)")


def strip_prefixes(subject: str) -> str:
    return " ".join(_PREFIX.sub("", subject[:1_000]).split())


def title_of(subject: str, text: str) -> str:
    """At most 60 characters of text; a subject is kept whole up to 200."""
    stripped = strip_prefixes(subject)
    if stripped:
        return stripped[:200]
    said = [clause for clause in _BREAK.split(text[:2_000]) if any(map(str.isalnum, clause))]
    telling = next((clause for clause in said if not is_greeting(clause)), said[0] if said else "")
    first = " ".join(telling.split())
    return first if len(first) <= MAX_TITLE else first[: MAX_TITLE - 1].rstrip() + "…"
