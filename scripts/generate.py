"""Writes config/schema.json, config/reference.md and config/example.toml from the models, and the tables of channels
and ticket stores in the pages from their specs; `--check` compares."""

from __future__ import annotations

import difflib
import json
import sys
from pathlib import Path
from typing import Literal

from allears.settings.catalogue import Component, components
from allears.settings.example import complete
from allears.settings.reference import reference
from allears.settings.schema import config_schema
from allears_sdk import registry
from allears_sdk.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "config"
Language = Literal["en", "zh"]
PAGES: dict[str, Language] = {
    "README.md": "en",
    "README.zh-CN.md": "zh",
    "docs/sinks/index.md": "en",
    "docs/sinks/index.zh-CN.md": "zh",
}
"""With tables between markers that name them: `<!-- channels -->`, `<!-- destinations -->`, `<!-- stores -->`."""
HEADS = {
    ("channels", "en"): "| `connector` | what | how it hears | tried against |",
    ("channels", "zh"): "| `connector` | 是什么 | 怎么听 | 验证环境 |",
    ("destinations", "en"): "| `sink` | what | nothing twice, by | tried against |",
    ("destinations", "zh"): "| `sink` | 是什么 | 不重复的依据 | 验证环境 |",
    ("stores", "en"): "| `sink` | what | opening | follow-up | tells back | tried against |",
    ("stores", "zh"): "| `sink` | 是什么 | 建单 | 跟进 | 回传状态 | 验证环境 |",
}
HEARS = {
    "poll": ("asks at intervals", "定时读取"),
    "listen": ("is told at once", "即时收到通知"),
    "receive": ("receives requests", "接收请求"),
}
CLASSES = {
    "A": ("class A: the receiver knows our key", "A 类：接收方认得投递键"),
    "B": ("class B: a look-up that sees every write", "B 类：查询能看到每次写入"),
    "C": ("class C: a look-up that lags", "C 类：查询有延迟"),
    "D": ("class D: nothing; a person decides", "D 类：无从查询，由人决定"),
}
VIEW = ("nothing is sent: a view of the journal", "不发送任何东西：它是日志库的视图")


def generated() -> dict[str, str]:
    """File name → content."""
    return {
        "schema.json": json.dumps(config_schema(shipped=True), ensure_ascii=False, indent=2) + "\n",
        "reference.md": reference(),
        "example.toml": complete(),
    }


def stale(folder: Path = CONFIG) -> dict[str, list[str]]:
    """File name → the first lines of the difference, for every file that is not as the models say."""
    found = {}
    for name, fresh in generated().items():
        path = folder / name
        kept = path.read_text(encoding="utf-8") if path.exists() else ""
        if kept != fresh:
            difference = difflib.unified_diff(kept.splitlines(), fresh.splitlines(), "kept", "fresh", n=0, lineterm="")
            found[name] = list(difference)[:20]
    return found


def with_tables(text: str, language: Language) -> str:
    """The page with fresh tables between its markers."""
    for table in ("channels", "destinations", "stores"):
        begin, end = f"<!-- {table} -->\n", f"<!-- /{table} -->"
        before, found, rest = text.partition(begin)
        if found:
            text = before + begin + "\n".join(_table(table, language)) + "\n" + end + rest.partition(end)[2]
    return text


def _table(table: str, language: Language) -> list[str]:
    head = HEADS[table, language]
    family, row = ("destinations", _store) if table == "stores" else (table, _row)
    members = [component for component in components(shipped=True) if component.family == family]
    return [head, "| --- " * (head.count("|") - 1) + "|", *(row(one, language) for one in members)]


def stale_pages(folder: Path = ROOT) -> list[str]:
    """Names of the pages whose tables are not as the specs say."""
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in PAGES}
    return [name for name, text in texts.items() if text != with_tables(text, PAGES[name])]


def _row(component: Component, language: Language) -> str:
    index, suffix = (0, "") if language == "en" else (1, ".zh-CN")
    folder = "channels" if component.family == "channels" else "sinks"
    link = f"[`{component.kind}`](docs/{folder}/{component.kind}{suffix}.md)"
    title = (component.title_en, component.title_zh)[index]
    return f"| {link} | {title} | {_how(component, index)} | {_tried(component, index)} |"


def _store(component: Component, language: Language) -> str:
    """Beside the pages of the sinks."""
    spec = registry.sink_class(component.kind).spec
    index, suffix = (0, "") if language == "en" else (1, ".zh-CN")
    title = (component.title_en, component.title_zh)[index]
    classes = ("–", "–") if spec.is_view else (spec.open_certainty.value, spec.follow_up_certainty.value)
    tells = ("yes", "有")[index] if spec.tells else ""
    link = f"[`{component.kind}`]({component.kind}{suffix}.md)"
    return f"| {link} | {title} | {' | '.join(classes)} | {tells} | {_tried(component, index)} |"


def _tried(component: Component, index: int) -> str:
    return (component.verified, component.verified_zh)[index]


def _how(component: Component, index: int) -> str:
    if component.family == "destinations":
        spec = registry.sink_class(component.kind).spec
        return VIEW[index] if spec.is_view else CLASSES[spec.open_certainty.value][index]
    hears = registry.connector_class(component.kind).spec.hears
    return (", ", "，")[index].join(HEARS[way][index] for way in HEARS if way in hears)


def main() -> int:
    """Returns the exit code."""
    if "--check" in sys.argv[1:]:
        return _check()
    CONFIG.mkdir(exist_ok=True)
    for name, content in generated().items():
        (CONFIG / name).write_text(content, encoding="utf-8")
    for name, language in PAGES.items():
        path = ROOT / name
        path.write_text(with_tables(path.read_text(encoding="utf-8"), language), encoding="utf-8")
    return 0


def _check() -> int:
    differences, pages = stale(), stale_pages()
    for name, lines in differences.items():
        print(f"config/{name} is stale; run `python scripts/generate.py`:", *lines, sep="\n  ")
    for name in pages:
        print(f"{name}: its tables are stale; run `python scripts/generate.py`")
    return 1 if differences or pages else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ConfigError as error:
        sys.exit(f"cannot generate: {error}")
