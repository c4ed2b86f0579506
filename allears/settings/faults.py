"""What is wrong with a configuration: where, in which line, and what to do; in Chinese or English."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from allears_sdk.errors import ConfigError
from allears_sdk.settings import keys_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong. Never holds the value at fault: it may be a secret."""

    place: str
    """Path in the file (`channels.mail.port`), or the variable that overrides it."""
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.place} ({self.line})" if self.line else self.place
        return f"{where}: {self.message}" if where else self.message


class InvalidConfiguration(ConfigError):
    """The configuration cannot be used."""

    def __init__(self, source: str, faults: Sequence[Fault], language: str) -> None:
        self.source = source
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line or 0))
        title = say(language, "invalid", source=source, count=len(faults))
        super().__init__("\n".join([title, *(f"  {describe(fault, language)}" for fault in self.faults)]))


def describe(fault: Fault, language: str) -> str:
    """One line for people: `line 12, channels.mail.port: …`."""
    line = say(language, "line", line=fault.line) if fault.line else ""
    return f"{line}{fault.place}: {fault.message}" if fault.place else f"{line}{fault.message}"


_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "invalid": "{source}: {count} fault(s)",
        "line": "line {line}, ",
        "unknown_key": "unknown key{hint}",
        "unknown_kind": 'no {what} "{kind}" is installed{hint}',
        "unknown_name": 'no destination is called "{name}"{hint}',
        "unknown_category": 'no category is called "{name}"{hint}',
        "unknown_nature": 'no nature is called "{name}"{hint}',
        "unknown_priority": 'no priority is called "{name}"{hint}',
        "unknown_channel": 'no channel is called "{name}"{hint}',
        "no_default": "missing, and required where there are routes: what becomes of a complaint that none matches",
        "same_name": 'another route is called "{name}" already',
        "empty_word": "an empty word matches nothing",
        "not_rows": "must be an array of tables, as in [[{place}]]",
        "switched_off": 'the destination "{name}" is switched off: what goes there waits until it is on',
        "no_kind": "missing, and required; one of: {kinds}",
        "missing": "missing, and required",
        "bad_name": "a name is made of a-z, 0-9 and '-', and starts with a letter or digit",
        "not_table": "must be a table, as in [{place}]",
        "did_you_mean": '; did you mean "{word}"?',
        "valid_keys": "; valid: {words}",
        "no_variable": "the environment variable {name} is not set",
        "empty_secret": "{where} is empty",
        "no_secret_file": "cannot read the secret file {path}: {reason}",
        "open_secret_file": "the secret file {path} can be read by everybody; chmod 600 it",
        "literal_secret": 'a secret stands in the file; better "env:NAME" or "file:/path"',
        "no_file": "no such file; `allears init` writes one",
        "unreadable": "cannot be read: {reason}",
        "syntax": "not valid TOML: {reason}",
        "no_rule_file": "no file of rules is called {name}",
        "no_channels": "no channel is configured: nothing will be heard",
        "does_not_load": "disabled: {reason}",
        "cannot_reply": '"{kind}" cannot answer customers: take acknowledge out',
    },
    "zh": {
        "invalid": "{source}：{count} 处错误",
        "line": "第 {line} 行，",
        "unknown_key": "未知的配置项{hint}",
        "unknown_kind": "没有安装名为“{kind}”的 {what}{hint}",
        "unknown_name": "没有名为“{name}”的目的地{hint}",
        "unknown_category": "没有名为“{name}”的问题分类{hint}",
        "unknown_nature": "没有名为“{name}”的性质{hint}",
        "unknown_priority": "没有名为“{name}”的紧急程度{hint}",
        "unknown_channel": "没有名为“{name}”的渠道{hint}",
        "no_default": "设有 routes 时必填：没有任何规则匹配的投诉如何处理",
        "same_name": "已有名为“{name}”的规则",
        "empty_word": "空词不匹配任何内容",
        "not_rows": "必须是表数组，如 [[{place}]]",
        "switched_off": "目的地“{name}”已停用：发往该处的投诉会等到它启用",
        "no_kind": "必填，可选：{kinds}",
        "missing": "必填",
        "bad_name": "名称只能由 a-z、0-9 和 - 组成，且以字母或数字开头",
        "not_table": "必须是一个表，如 [{place}]",
        "did_you_mean": "；是否想写“{word}”？",
        "valid_keys": "；可用：{words}",
        "no_variable": "环境变量 {name} 未设置",
        "empty_secret": "{where} 为空",
        "no_secret_file": "无法读取密钥文件 {path}：{reason}",
        "open_secret_file": "密钥文件 {path} 所有人可读，请 chmod 600",
        "literal_secret": '密钥直接写在文件里；建议改为 "env:NAME" 或 "file:/path"',
        "no_file": "文件不存在；可用 `allears init` 生成",
        "unreadable": "无法读取：{reason}",
        "syntax": "不是有效的 TOML：{reason}",
        "no_rule_file": "没有规则文件 {name}",
        "no_channels": "没有配置任何渠道：什么也听不到",
        "does_not_load": "已停用：{reason}",
        "cannot_reply": "“{kind}”无法回复客户：请删除 acknowledge",
    },
}

_ZH_TYPES: Mapping[str, str] = {
    "tls_pair": "tls_certificate 和 tls_key 必须同时设置",
    "password_pair": "username 和 password 必须同时设置",
    "unguarded": "非本机地址必须设置 token，或 username 和 password",
    "network": "必须是 IP 地址或网段",
    "int_parsing": "必须是整数",
    "int_type": "必须是整数",
    "int_from_float": "必须是整数",
    "float_parsing": "必须是数字",
    "float_type": "必须是数字",
    "bool_parsing": "必须是 true 或 false",
    "bool_type": "必须是 true 或 false",
    "string_type": "必须是字符串",
    "list_type": "必须是数组",
    "tuple_type": "必须是数组",
    "frozen_set_type": "必须是数组",
    "set_type": "必须是数组",
    "dict_type": "必须是表",
    "model_type": "必须是表",
    "path_type": "必须是路径",
    "greater_than_equal": "不得小于 {ge}",
    "greater_than": "必须大于 {gt}",
    "less_than_equal": "不得大于 {le}",
    "less_than": "必须小于 {lt}",
    "string_pattern_mismatch": "格式不符，应匹配 {pattern}",
    "string_too_short": "至少 {min_length} 个字符",
    "string_too_long": "至多 {max_length} 个字符",
    "literal_error": "必须是 {expected} 之一",
    "enum": "必须是 {expected} 之一",
    "time_delta_parsing": '必须是时长，如 "P7D" 或秒数',
}


def say(language: str, key: str, **facts: object) -> str:
    return _TEXTS["zh" if language == "zh" else "en"][key].format(**facts)


def hint(word: str, valid: Sequence[str], language: str) -> str:
    """The nearest valid word, or all of them, or nothing."""
    close = difflib.get_close_matches(word, valid, n=1, cutoff=0.6)
    if close:
        return say(language, "did_you_mean", word=close[0])
    return say(language, "valid_keys", words=", ".join(sorted(valid))) if valid else ""


def explain(error: ValidationError, model: type[BaseModel], language: str) -> list[tuple[tuple[str, ...], str]]:
    """Each fault as (path below the model, message). Inputs are left out: they may be secrets."""
    faults = error.errors(include_input=False, include_url=False)
    return [_explain_one(dict(fault), model, language) for fault in faults]


def _explain_one(fault: dict[str, Any], model: type[BaseModel], language: str) -> tuple[tuple[str, ...], str]:
    path = tuple(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return path, say(language, "unknown_key", hint=hint(path[-1], keys_at(model, list(path[:-1])), language))
    if fault["type"] == "missing":
        return path, say(language, "missing")
    return path, _message(fault, language)


def _message(fault: dict[str, Any], language: str) -> str:
    text = _ZH_TYPES.get(fault["type"]) if language == "zh" else None
    if text is None:
        return str(fault["msg"]).removeprefix("Value error, ")
    return text.format(**fault.get("ctx", {}))
