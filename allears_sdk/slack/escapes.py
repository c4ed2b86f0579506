"""The three characters that Slack's mrkdwn escapes. "Formatting message text", section Escaping text."""

from __future__ import annotations

_ESCAPES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def unescaped(text: str) -> str:
    for escape, character in _ESCAPES:
        text = text.replace(escape, character)
    return text


def escaped(text: str) -> str:
    """For what we send: nothing in it is a mention or a link."""
    for escape, character in reversed(_ESCAPES):
        text = text.replace(character, escape)
    return text
