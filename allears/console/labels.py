"""What the record's fields and values are called, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, get_type_hints

from allears.console.sight import Sight
from allears.console.texts import Texts
from allears.console.veil import veil_word
from allears_sdk.complaint import Complaint, Contact
from allears_sdk.message import Rating

_CONTACTS = ("email", "phone", "wechat")


@cache
def schema_labels() -> Mapping[str, Mapping[str, str]]:
    """Template field → language → label, as the record's own schema says."""
    hints = get_type_hints(Complaint, include_extras=True)
    extras = {name: getattr(hint, "__metadata__", ()) for name, hint in hints.items()}
    return {name: metas[0].extra_json_schema["x-label"] for name, metas in extras.items() if metas}


def field_label(name: str, texts: Texts) -> str:
    label = schema_labels().get(name)
    return label[texts.language] if label else texts.word("field", name.replace(".", "_"))


def show_value(name: str, value: Any, sight: Sight) -> Sequence[str]:
    """A field's value as words, contacts masked unless asked for; also of a value read back from JSON."""
    if value is None or value == "":
        return ()
    if isinstance(value, Contact) or name == "contact":
        return _contact(value, sight)
    if isinstance(value, Rating) or name == "rating":
        return (_rating(value),)
    if isinstance(value, datetime):
        return (sight.stamp(value),)
    if isinstance(value, list | tuple):
        return [word for item in value for word in show_value(name, item, sight)]
    return (_word(name, value, sight),)


def _word(name: str, value: Any, sight: Sight) -> str:
    if name == "category":
        return sight.texts.category(str(value))
    if name in ("nature", "expectation"):
        return sight.texts.word(name, str(value))
    if name == "language":
        return sight.texts.word("language_name", str(value))
    if name == "priority":
        return f"{value} {sight.texts.word('priority', str(value))}"
    if name == "attachments":
        return _file(value, sight)
    if name.removeprefix("entities.") in _CONTACTS:
        return str(value) if sight.reveal else veil_word(str(value))
    return sight.shown(str(value))


def _file(value: Any, sight: Sight) -> str:
    name, reason = sight.shown(str(_part(value, "name"))), str(_part(value, "skipped"))
    state = sight.texts("complaint.pending") if _part(value, "pending") is True else ""
    state = sight.texts("complaint.skipped", reason=sight.shown(reason)) if reason else state
    return f"{name} ({state})" if state else name


def _contact(value: Any, sight: Sight) -> Sequence[str]:
    shown = []
    for part in fields(Contact):
        word = str(_part(value, part.name) or "")
        is_way = part.name in _CONTACTS and not sight.reveal
        shown.append(veil_word(word) if is_way else sight.shown(word))
    return [word for word in shown if word]


def _rating(value: Any) -> str:
    return f"{_part(value, 'value'):g} / {_part(value, 'best'):g}"


def _part(value: Any, name: str) -> Any:
    if is_dataclass(value):
        return getattr(value, name)
    return value.get(name, "") if isinstance(value, Mapping) else value
