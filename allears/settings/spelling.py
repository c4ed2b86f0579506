"""How values and types are written for people: as TOML, and in a word or two."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from allears.settings.secrets import holds_secret

_EMPTY: Mapping[Any, str] = {dict: "{}", list: "[]", tuple: "[]", frozenset: "[]", set: "[]"}


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_unset=True)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, timedelta):
        return json.dumps(f"P{value.days}D" if not value.seconds else f"PT{int(value.total_seconds())}S")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {toml(item)}" for key, item in value.items()) + " }" if value else "{}"
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return "[" + ", ".join(toml(item) for item in items) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def _key(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else json.dumps(key)


def default(field: FieldInfo) -> str:
    """As TOML; "" where there is none to show (required, unset, a secret, or made when it is needed)."""
    if field.default_factory in _EMPTY:
        return _EMPTY[field.default_factory]
    if field.is_required() or field.default is None or isinstance(field.default, SecretStr | type(PydanticUndefined)):
        return ""
    return toml(field.default)


def type_name(schema: Mapping[str, Any], field: FieldInfo) -> str:
    """From the field's JSON Schema, in words of the trade."""
    if holds_secret(field.annotation):
        return "table of secrets" if schema.get("type") == "object" else "secret"
    if "anyOf" in schema:
        return " or ".join(_simple(arm) for arm in schema["anyOf"] if arm.get("type") != "null")
    return _simple(schema)


def _simple(schema: Mapping[str, Any]) -> str:
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{toml(value)}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_simple(schema.get('items', {}))}"
    if "$ref" in schema or schema.get("type") == "object":
        return "table"
    if schema.get("format") in ("path", "duration"):
        return str(schema["format"])
    return str(schema.get("type", "any")) + _range(schema)


def _range(schema: Mapping[str, Any]) -> str:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None and high is None:
        return ""
    return f", {_bound(low)}–{_bound(high)}"


def _bound(value: float | None) -> str:
    return "" if value is None else str(int(value)) if value == int(value) else str(value)
