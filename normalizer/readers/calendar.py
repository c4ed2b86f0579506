"""An invitation in words, for mails that hold nothing else."""

from __future__ import annotations

import re

_FOLD = re.compile(r"\r?\n[ \t]")
_PROPERTY = re.compile(r"^(SUMMARY|LOCATION|DESCRIPTION)(?:;[^:\r\n]{0,500})?:(.*)$", re.MULTILINE | re.IGNORECASE)
_ESCAPE = re.compile(r"\\(.)")
_MAX_CHARACTERS = 200_000


def event_text(calendar: str) -> str:
    """What the events of an iCalendar file (RFC 5545) are called, where they are and what they are about."""
    unfolded = _FOLD.sub("", calendar[:_MAX_CHARACTERS])
    values = (_ESCAPE.sub(_unescape, found[2]).strip() for found in _PROPERTY.finditer(unfolded))
    return "\n".join(dict.fromkeys(filter(None, values)))


def _unescape(escape: re.Match[str]) -> str:
    return "\n" if escape[1] in "nN" else escape[1]
