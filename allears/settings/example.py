"""A commented configuration file: config/example.toml, and what `allears init` writes."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from allears.settings.catalogue import Component, component, components
from allears.settings.routes import RouteSettings
from allears.settings.secrets import holds_secret, models_in
from allears.settings.sections import SECTIONS
from allears.settings.spelling import default, toml

_WIDTH = 110
_HEADS = {
    "en": """allears: configuration. Lines that begin with # are comments: they show every setting with its default.
Check with `allears check`, start with `allears run`. All settings: config/reference.md.
Secrets do not belong here: write "env:NAME" (environment variable) or "file:/path" (relative to this file).""",
    "zh": """allears 配置文件。以 # 开头的行是注释，列出每个配置项及其默认值。
用 `allears check` 检查，用 `allears run` 启动。全部配置项见 config/reference.md。
密钥不要直接写在这里：请写 "env:变量名"（环境变量）或 "file:/路径"（相对于本文件）。""",
}
_COMMON = {
    "en": "Settings that every channel or every destination has ({names}) are in config/reference.md.",
    "zh": "所有渠道或所有目的地共有的配置项（{names}）见 config/reference.md。",
}


def complete() -> str:
    """config/example.toml: every section, every shipped kind. Raises ConfigError when one does not load."""
    return _file(components(shipped=True), "en")


def example(*, connectors: Sequence[str] = (), sinks: Sequence[str] = (), language: str = "en") -> str:
    """A file with these kinds, ready to fill in; by default the ones allears runs with when there is no file.
    Raises ConfigError for a kind that is not installed."""
    chosen = [component("channels", kind) for kind in dict.fromkeys(connectors or ("form", "folder"))]
    chosen += [component("destinations", kind) for kind in dict.fromkeys(sinks or ("list",))]
    return _file(chosen, language)


def _file(chosen: Sequence[Component], language: str) -> str:
    blocks = [_comment(_HEADS[language])]
    blocks += [_table(name, model, model.model_fields, model.__doc__ or "") for name, model in SECTIONS.items()]
    blocks += [_routes()]
    blocks += [_component(one, language) for one in chosen]
    names = ", ".join(_common_names(chosen))
    return "\n\n".join([*blocks, _comment(_COMMON[language].format(names=names))]) + "\n"


def _routes() -> str:
    """All as comments: one without conditions would match everything."""
    head = [_comment(RouteSettings.__doc__ or ""), "# [[routes]]"]
    properties = RouteSettings.model_json_schema()["properties"]
    for key, field in RouteSettings.model_fields.items():
        meaning, given = _setting(key, field, properties[key], "")
        head += [meaning, f"#   {given.removeprefix('# ')}"]
    return "\n".join(head)


def _component(one: Component, language: str) -> str:
    title = one.title_zh if language == "zh" else one.title_en
    kind = f'{one.word} = "{one.kind}"'
    return _table(f"{one.family}.{one.example_name}", one.model, one.own_fields, title, (kind,), one.example_name)


def _table(
    name: str,
    model: type[BaseModel],
    fields: Mapping[str, FieldInfo],
    title: str,
    first: Sequence[str] = (),
    prefix: str = "",
) -> str:
    lines = [_comment(title), f"[{name}]", *first]
    properties = model.model_json_schema()["properties"]
    for key, field in fields.items():
        lines += _setting(key, field, properties[key], prefix)
    return "\n".join(lines)


def _setting(key: str, field: FieldInfo, schema: dict[str, Any], prefix: str) -> list[str]:
    """What it means, then the setting: ready to fill in when it is required or usual, else as a comment."""
    given = f"{key} = {_value(key, field, schema, prefix)}"
    is_ready = field.is_required() or "x-fill-in" in schema
    return [_comment(field.description or key), given if is_ready else f"# {given}"]


def _value(key: str, field: FieldInfo, schema: dict[str, Any], prefix: str) -> str:
    if field.examples:
        return toml(field.examples[0])
    if holds_secret(field.annotation):
        return _secret(key, field, prefix)
    if not default(field) and (models := models_in(field.annotation)):
        return _inline(models[0], "_".join(filter(None, [prefix, key])))
    return default(field) or _filler(schema)


def _inline(model: type[BaseModel], prefix: str) -> str:
    """A table in one line: what it must have."""
    properties = model.model_json_schema()["properties"]
    wanted = {
        name: field
        for name, field in model.model_fields.items()
        if field.is_required() or "x-fill-in" in properties[name]
    }
    parts = [f"{name} = {_value(name, field, properties[name], prefix)}" for name, field in wanted.items()]
    return f"{{ {', '.join(parts)} }}" if parts else "{}"


def _filler(schema: dict[str, Any]) -> str:
    """Something of the right type, where nobody gave a default or an example."""
    arm = next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), schema)
    if "enum" in arm:
        return toml(arm["enum"][0])
    if arm.get("format") == "duration":
        return '"P7D"'
    fillers = {"integer": toml(arm.get("minimum", 0)), "number": toml(arm.get("minimum", 0)), "boolean": "false"}
    return {**fillers, "array": "[]", "object": "{}"}.get(arm.get("type", ""), '""')


def _secret(key: str, field: FieldInfo, prefix: str) -> str:
    variable = "_".join(["ALLEARS", *filter(None, [prefix]), key]).upper().replace("-", "_")
    is_table = str(getattr(field.annotation, "__origin__", "")).endswith(("dict'>", "Mapping'>"))
    if get_origin(field.annotation) in (tuple, list):
        return f'["env:{variable}"]'
    return f'{{ Authorization = "env:{variable}" }}' if is_table else f'"env:{variable}"'


def _common_names(chosen: Sequence[Component]) -> list[str]:
    shared: dict[str, None] = {}
    for one in chosen:
        fields: type[BaseModel] = one.model
        shared |= dict.fromkeys(name for name in fields.model_fields if name not in (*one.own_fields, one.word))
    return list(shared)


def _comment(text: str) -> str:
    lines = [line for part in text.strip().splitlines() for line in textwrap.wrap(part, _WIDTH) or [""]]
    return "\n".join(f"# {line}".rstrip() for line in lines)
