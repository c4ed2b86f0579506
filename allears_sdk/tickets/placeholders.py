"""Stores that fill in placeholders in what agents write would fill in a customer's too."""

from __future__ import annotations

import re

_OPENING = re.compile(r"\{(?=[{%])(.)")
_WIDE = {"{": "{｛", "%": "{％"}


def defuse(text: str) -> str:
    """Liquid's `{{` and `{%` with a full-width second sign: as long as before, read by people alone."""
    return _OPENING.sub(lambda match: _WIDE[match[1]], text)
