"""What can be wrong with a rule or a shape, and how it is said in Chinese and English."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from re import _parser  # type: ignore[attr-defined]  # the one parser that reads exactly what `re` does; there since 3.11
from typing import Any

from allears_sdk.complaint import CATEGORIES, EXPECTATIONS, NATURES, PRIORITIES
from normalizer.rules.fold import fold

VALUES: Mapping[str, Sequence[str]] = {
    "nature": NATURES,
    "category": CATEGORIES,
    "priority": PRIORITIES,
    "expectation": EXPECTATIONS,
}
MAX_PATTERN = 1000
MAX_REPEAT = 10_000
_WORDS, _TRUTH, _NUMBER, _TEXT = "a list of strings", "true or false", "a number", "a string"
RULE_KEYS: Mapping[str, str] = {
    "id": _TEXT,
    "field": _TEXT,
    "value": _TEXT,
    "weight": _NUMBER,
    "words": _WORDS,
    "patterns": _WORDS,
    "negatable": _TRUTH,
    "priority": _TEXT,
    "grievance": _TRUTH,
    "decides": _TRUTH,
}
SHAPE_KEYS: Mapping[str, str] = {
    "kind": _TEXT,
    "name": _TEXT,
    "pattern": _TEXT,
    "patterns": _WORDS,
    "needs": _TEXT,
    "cased": _TRUTH,
    "where": _TEXT,
}
EXTEND_KEYS = {key: RULE_KEYS[key] for key in ("id", "words", "patterns")}
_ZH_TYPES = {_WORDS: "字符串数组", _TRUTH: "true 或 false", _NUMBER: "数字", _TEXT: "字符串"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFault:
    """One thing that is wrong in one file of rules."""

    file: str
    path: tuple[str, ...]
    """Keys and numbers that lead there in the TOML: `rule`, `0`, `patterns`."""
    rule: str
    """Which rule or shape, where one is named already."""
    code: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def say(self, language: str) -> str:
        facts = dict(self.facts)
        if language == "zh" and "type" in facts:
            facts["type"] = _ZH_TYPES[str(facts["type"])]
        nearest = facts.get("nearest")
        hint = say(language, "did_you_mean", word=nearest) if nearest else ""
        return say(language, self.code, **facts, hint=hint)


Trouble = tuple[str, str, Mapping[str, object]]
"""The key at fault, the code of what is wrong, and facts for its text."""


def troubles_of_rule(row: Mapping[str, Any]) -> Iterator[Trouble]:
    shape = list(_of_types(row, RULE_KEYS, ("id", "field", "value")))
    yield from shape
    if shape:
        return
    if row["field"] not in VALUES:
        yield "field", "bad_field", {"given": row["field"], "valid": ", ".join(VALUES)}
    elif row["value"] not in VALUES[row["field"]]:
        yield "value", "bad_value", {"field": row["field"], "given": row["value"]}
    if row.get("priority", "P1") not in PRIORITIES:
        yield "priority", "bad_value", {"field": "priority", "given": row["priority"]}
    yield from troubles_of_words(row)


def troubles_of_words(row: Mapping[str, Any]) -> Iterator[Trouble]:
    """Of what a rule looks for."""
    if not row.get("words") and not row.get("patterns"):
        yield "id", "says_nothing", {}
    if not all(word.strip("* ") for word in row.get("words", ())):
        yield "words", "empty_word", {}
    for at, pattern in enumerate(row.get("patterns", ())):
        for code, facts in troubles_of_pattern(pattern, cased=False):
            yield f"patterns.{at}", code, facts


def troubles_of_extension(row: Mapping[str, Any]) -> Iterator[Trouble]:
    shape = list(_of_types(row, EXTEND_KEYS, ("id",)))
    yield from shape or troubles_of_words(row)


def troubles_of_shape(row: Mapping[str, Any], kinds: Sequence[str]) -> Iterator[Trouble]:
    shape = list(_of_types(row, SHAPE_KEYS, ("kind", "name")))
    yield from shape
    if shape:
        return
    if row["kind"] not in ("", *kinds):
        yield "kind", "bad_kind", {"given": row["kind"], "valid": ", ".join(kinds)}
    if row["name"] == "model":
        yield "name", "reserved", {"given": "model"}
    if row.get("where", "text") not in ("text", "signature"):
        yield "where", "bad_value", {"field": "where", "given": row["where"]}
    if ("pattern" in row) == ("patterns" in row):
        yield "pattern", "one_pattern", {}
    patterns = [("pattern", row["pattern"])] if "pattern" in row else []
    patterns += [(f"patterns.{at}", one) for at, one in enumerate(row.get("patterns", ()))]
    for key, pattern in patterns:
        for code, facts in troubles_of_pattern(pattern, cased=row.get("cased", False)):
            yield key, code, facts


def troubles_of_pattern(pattern: str, *, cased: bool) -> Iterator[tuple[str, Mapping[str, object]]]:
    """What can be seen without running it."""
    if len(pattern) > MAX_PATTERN:
        yield "long_pattern", {"limit": MAX_PATTERN}
        return
    try:
        re.compile(f"(?:{pattern})", re.MULTILINE)
        parsed = _parser.parse(pattern, re.MULTILINE)
        least, _ = parsed.getwidth()
    except (re.error, OverflowError, RecursionError) as error:
        yield "no_pattern", {"reason": str(error)}
        return
    if not least:
        yield "matches_nothing", {}
    if _largest_repeat(parsed) > MAX_REPEAT:
        yield "huge_repeat", {"limit": MAX_REPEAT}
    if not cased and not parsed.state.flags & re.IGNORECASE:
        unread = next(filter(lambda letter: fold(letter) != letter, _literals(parsed)), "")
        if unread:
            yield "unfolded", {"given": unread, "read": fold(unread)}


def _of_types(row: Mapping[str, Any], keys: Mapping[str, str], required: Sequence[str]) -> Iterator[Trouble]:
    for key, value in row.items():
        if key not in keys:
            yield key, "unknown_key", {"given": key, "valid": ", ".join(keys)}
        elif not _is(value, keys[key]):
            yield key, "bad_type", {"given": key, "type": keys[key]}
    for key in required:
        if key not in row or (key != "kind" and row[key] == ""):
            yield key, "missing", {"given": key}


def _is(value: Any, kind: str) -> bool:
    if kind == _WORDS:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if kind == _NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 100
    return isinstance(value, bool if kind == _TRUTH else str)


def _parts(parsed: Any) -> Iterator[tuple[str, Any]]:
    """Every operation, those inside others too; classes are left whole."""
    for operation, value in parsed:
        yield str(operation), value
        stack = [value]
        while stack:
            one = stack.pop()
            if isinstance(one, _parser.SubPattern):
                yield from _parts(one)
            elif isinstance(one, tuple | list):
                stack.extend(one)


def _literals(parsed: Any) -> Iterator[str]:
    return (chr(value) for operation, value in _parts(parsed) if operation == "LITERAL")


def _largest_repeat(parsed: Any) -> int:
    """Of bounded repeats."""
    bounds = [int(value[1]) for name, value in _parts(parsed) if name.endswith("_REPEAT")]
    return max((bound for bound in bounds if bound < int(_parser.MAXREPEAT)), default=0)


_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "syntax": "not valid TOML: {reason}",
        "unknown_key": "unknown key {given!r}; valid: {valid}",
        "unknown_table": "unknown key {given!r}; valid: {valid}",
        "bad_type": "{given} must be {type}",
        "missing": "{given} is missing, and required",
        "no_language": 'language must be "zh" or "en": it says which texts these rules read',
        "bad_field": "there is no field {given!r}; valid: {valid}",
        "bad_value": "{field} cannot be {given!r}",
        "bad_kind": "there is no kind of entity {given!r}; valid: {valid}, or empty for what must be taken for nothing",
        "reserved": "the name {given!r} is taken; choose another one",
        "says_nothing": 'it has neither words nor patterns; to switch a packaged rule off, name it in "off"',
        "empty_word": "an empty word",
        "one_pattern": "give either pattern or patterns",
        "long_pattern": "the pattern is longer than {limit} characters",
        "no_pattern": "not a regular expression: {reason}",
        "matches_nothing": "the pattern can match nothing at all; it must hold at least one character",
        "huge_repeat": "a repeat goes beyond {limit}",
        "unfolded": "{given!r} never stands in the text that is searched: it reads {read!r} there (lower case, half "
        "width, simplified characters); write it so, in a shape also with cased = true",
        "twice": "there is a rule or shape of this name already, in {other}",
        "super_linear": "the pattern gets slow much faster than a text gets long ({seconds:.2f} s for {count} "
        "characters such as {sample!r}): give every repetition a bound, .{{0,20}} instead of .*",
        "too_slow": "the pattern is too slow ({seconds:.2f} s for {count} characters such as {sample!r}): make it "
        "shorter, or its repetitions smaller",
        "hangs": "a pattern in these files does not end within {seconds:g} s: give every repetition a bound",
        "too_large": "larger than {limit} bytes",
        "unknown_rule": "there is no packaged rule {given!r} (any more){hint}; this has no effect",
        "did_you_mean": ", did you mean {word!r}?",
    },
    "zh": {
        "syntax": "不是有效的 TOML：{reason}",
        "unknown_key": "未知的配置项 {given!r}；可用：{valid}",
        "unknown_table": "未知的配置项 {given!r}；可用：{valid}",
        "bad_type": "{given} 必须是{type}",
        "missing": "缺少必填的 {given}",
        "no_language": 'language 必须是 "zh" 或 "en"：它说明这些规则读哪种文字',
        "bad_field": "没有字段 {given!r}；可用：{valid}",
        "bad_value": "{field} 不能是 {given!r}",
        "bad_kind": "没有实体类型 {given!r}；可用：{valid}，留空表示不当作任何实体",
        "reserved": "名称 {given!r} 已被占用，请换一个",
        "says_nothing": "既没有 words 也没有 patterns；要停用自带规则，请写进 off",
        "empty_word": "有空的词",
        "one_pattern": "pattern 和 patterns 必须且只能写一个",
        "long_pattern": "正则表达式超过 {limit} 个字符",
        "no_pattern": "不是正则表达式：{reason}",
        "matches_nothing": "正则表达式可能匹配空串；至少要有一个字符",
        "huge_repeat": "重复次数超过 {limit}",
        "unfolded": "被搜索的文字里不会出现 {given!r}：那里写作 {read!r}（小写、半角、简体）；"
        "请改写，或在 shape 中设 cased = true",
        "twice": "同名的规则或形状已存在于 {other}",
        "super_linear": "文字越长，这个正则表达式慢得越多（{count} 个形如 {sample!r} 的字符用了 {seconds:.2f} 秒）："
        "请给每个重复加上限，例如用 .{{0,20}} 代替 .*",
        "too_slow": "这个正则表达式太慢（{count} 个形如 {sample!r} 的字符用了 {seconds:.2f} 秒）："
        "请缩短它，或减小重复次数",
        "hangs": "这些文件中有正则表达式在 {seconds:g} 秒内不结束：请给每个重复加上限",
        "too_large": "超过 {limit} 字节",
        "unknown_rule": "（已）没有自带规则 {given!r}{hint}；此项不起作用",
        "did_you_mean": "，是否想写 {word!r}？",
    },
}


def say(language: str, code: str, **facts: object) -> str:
    return _TEXTS["zh" if language == "zh" else "en"][code].format(**facts)
