"""A mapped value in the form its field wants, and which form that is by what Jira says of the field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from allears_sdk.errors import Rejected
from sink.jira.texts import to_document

Form = Literal["text", "document", "option", "options", "name", "names", "labels", "number", "datetime", "date", "user"]
_USUAL: Mapping[str, Form] = {
    "labels": "labels",
    "components": "names",
    "fixVersions": "names",
    "versions": "names",
    "priority": "name",
    "assignee": "user",
    "reporter": "user",
    "duedate": "date",
    "environment": "document",
}


def form_of(name: str, forms: Mapping[str, Form]) -> Form:
    """As the settings say, else as Jira's own fields are."""
    return forms.get(name, _USUAL.get(name, "text"))


def shape(value: Any, form: Form, *, is_cloud: bool) -> Any:
    """None where the record says nothing: the field is then left out. Raises Rejected."""
    values = list(value) if isinstance(value, tuple) else [value]
    values = [one for one in values if one not in ("", None)]
    return _SHAPES[form](values, is_cloud) if values else None


def wanted_form(schema: Mapping[str, Any], *, is_cloud: bool) -> Form | None:
    """By a field's schema in the metadata; None for one that we do not know how to fill."""
    kind, items, custom = (str(schema.get(name, "")) for name in ("type", "items", "custom"))
    if kind == "string" and is_cloud and (custom.endswith(":textarea") or schema.get("system") == "environment"):
        return "document"
    return _ARRAYS.get(items) if kind == "array" else _KINDS.get(kind)


_KINDS: Mapping[str, Form] = {
    "string": "text",
    "any": "text",
    "number": "number",
    "option": "option",
    "priority": "name",
    "user": "user",
    "date": "date",
    "datetime": "datetime",
}
_ARRAYS: Mapping[str, Form] = {"option": "options", "string": "labels", "component": "names", "version": "names"}


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


def _joined(values: list[Any]) -> str:
    return ", ".join(_text(value) for value in values)


def _number(values: list[Any], is_cloud: bool) -> float:
    try:
        return float(values[0])
    except (TypeError, ValueError):
        raise Rejected(f"{_text(values[0])!r} is no number, and the field it is mapped to wants one") from None


def _moment(values: list[Any]) -> datetime:
    if not isinstance(values[0], datetime):
        raise Rejected(f"{_text(values[0])!r} is no time, and the field it is mapped to wants one")
    return values[0].astimezone(UTC)


_SHAPES: Mapping[Form, Callable[[list[Any], bool], Any]] = {
    "text": lambda values, is_cloud: _joined(values),
    "document": lambda values, is_cloud: to_document(_joined(values)) if is_cloud else _joined(values),
    "option": lambda values, is_cloud: {"value": _text(values[0])},
    "options": lambda values, is_cloud: [{"value": _text(value)} for value in values],
    "name": lambda values, is_cloud: {"name": _text(values[0])},
    "names": lambda values, is_cloud: [{"name": _text(value)} for value in values],
    "labels": lambda values, is_cloud: [as_label(_text(value)) for value in values],
    "number": _number,
    "datetime": lambda values, is_cloud: _moment(values).strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
    "date": lambda values, is_cloud: _moment(values).strftime("%Y-%m-%d"),
    "user": lambda values, is_cloud: {"id" if is_cloud else "name": _text(values[0])},
}


def as_label(text: str) -> str:
    """A label holds no spaces and at most 255 characters."""
    return "_".join(text.split())[:255]
