"""JSON Schema of the whole configuration file, for editors and checkers."""

from __future__ import annotations

from typing import Any

from allears.settings.catalogue import Component, components
from allears.settings.routes import RouteSettings
from allears.settings.sections import SECTIONS

_NAME = "^[a-z0-9][a-z0-9-]*$"
_REFERENCE = {
    "type": "string",
    "description": 'A secret: "env:NAME", "file:/path" (relative to this file), or the words themselves.',
}


def config_schema(*, shipped: bool = False) -> dict[str, Any]:
    """JSON Schema (2020-12); each channel and destination by its kind."""
    definitions: dict[str, Any] = {}
    found = components(shipped=shipped)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "allears.config/1",
        "title": "allears.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **{name: _model(model, definitions) for name, model in SECTIONS.items()},
            "routes": {"type": "array", "items": _model(RouteSettings, definitions)},
            **{family: _family(family, found, definitions) for family in ("channels", "destinations")},
        },
        "$defs": dict(sorted(definitions.items())),
    }


def _family(family: str, found: list[Component], definitions: dict[str, Any]) -> dict[str, Any]:
    """A table of named tables; the kind's own word tells which schema holds."""
    members = [component for component in found if component.family == family]
    word = members[0].word if members else ""
    cases = []
    for component in members:
        name = f"{word}.{component.kind}"
        schema = _model(component.model, definitions)
        schema["title"] = component.title_en
        schema["properties"][word] = {**schema["properties"][word], "const": component.kind}
        schema["required"] = sorted({word, *schema.get("required", ())})
        definitions[name] = schema
        is_kind = {"properties": {word: {"const": component.kind}}, "required": [word]}
        cases.append({"if": is_kind, "then": {"$ref": f"#/$defs/{name}"}})
    kinds = {"type": "object", "required": [word], "properties": {word: {"enum": [one.kind for one in members]}}}
    return {
        "type": "object",
        "additionalProperties": False,
        "patternProperties": {_NAME: {**kinds, "allOf": cases}},
    }


def _model(model: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = model.model_json_schema(ref_template="#/$defs/{model}")
    for name, nested in schema.pop("$defs", {}).items():
        definitions[name] = _secrets(nested)
    cleaned: dict[str, Any] = _secrets(schema)
    return cleaned


def _secrets(schema: Any) -> Any:
    """Secrets may stand as references, whatever else is asked of their value."""
    if isinstance(schema, list):
        return [_secrets(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "anyOf" in schema:
        schema = _without_null(schema)
    if schema.get("format") == "password":
        kept = {key: schema[key] for key in ("title", "default", "examples") if key in schema}
        description = " ".join(filter(None, [schema.get("description"), _REFERENCE["description"]]))
        return {**kept, "type": "string", "description": description}
    return {key: _secrets(value) for key, value in schema.items()}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """TOML has no null: a setting that may be left out is one that is not required."""
    arms = [arm for arm in schema["anyOf"] if arm.get("type") != "null"]
    rest = {key: value for key, value in schema.items() if key != "anyOf" and (key, value) != ("default", None)}
    return {**arms[0], **rest} if len(arms) == 1 else {**rest, "anyOf": arms}
