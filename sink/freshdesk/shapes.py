"""Values as Freshdesk's API takes them: HTML, forms, fields, tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from allears_sdk.tickets import as_text, defuse
from sink.freshdesk.settings import NATIVE

MAX_TAG_CHARS = 32


def html(text: str) -> str:
    """Lines stay lines, and nothing a customer wrote is markup."""
    return escape(defuse(text), quote=False).replace("\r\n", "\n").replace("\n", "<br>")


def form_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """Lists end in [], custom fields lie in brackets, and all is text."""
    form: dict[str, Any] = {}
    for name, value in request.items():
        if isinstance(value, Mapping):
            form.update({f"{name}[{inner}]": _word(one) for inner, one in value.items()})
        elif isinstance(value, list):
            form[f"{name}[]"] = [_word(one) for one in value]
        else:
            form[name] = _word(value)
    return form


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def mapped(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Native fields and custom ones. What is empty is left to Freshdesk's own defaults."""
    native: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    for target, value in fields.items():
        text = as_text(value)
        if target in NATIVE and text:
            native[target] = int(text) if text.isdecimal() else text
        elif text:
            custom[target] = value if isinstance(value, bool | int | float) else text
    return native, custom


def tags_of(tags: Sequence[object]) -> list[str]:
    """Each once, in order, as long as they may be; a comma would part one into two."""
    words = (" ".join(str(tag).replace(",", " ").split())[:MAX_TAG_CHARS] for tag in tags)
    return list(dict.fromkeys(word for word in words if word))
