"""Where a new connector is written: into a checkout of allears, or a package of its own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from allears.scaffold.newborn import Newborn

_ENTRIES = '[project.entry-points."allears.connectors"]'
_CHANNEL_LINK = "](channels/"


class NotThere(Exception):
    """The checkout is not as expected: `path` has no place for the new line."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


class Exists(Exception):
    """A file that would be written is there already."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be written; nothing is until `carry_out`."""

    root: Path
    new: Mapping[str, str]
    """Path below `root` → content."""
    changed: Mapping[str, str]

    def carry_out(self) -> None:
        """Raises Exists before anything is written."""
        for name in self.new:
            if (self.root / name).exists():
                raise Exists(self.root / name)
        for name, text in {**self.new, **self.changed}.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def find_checkout(start: Path) -> Path | None:
    """The nearest folder, from `start` upward, that holds the sources of allears."""
    for folder in (start, *start.parents):
        try:
            project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        except (OSError, KeyError, ValueError):
            continue
        if project.get("name") == "allears" and (folder / "connectors").is_dir():
            return folder
    return None


def into_checkout(newborn: Newborn, root: Path) -> Plan:
    """Raises NotThere."""
    kind = newborn.kind
    new = {f"connectors/{kind}/{name}": text for name, text in newborn.code().items()}
    new |= {f"tests/connectors/{kind}/{name}": text for name, text in newborn.tests().items()}
    new |= {f"docs/channels/{name}": text for name, text in newborn.pages().items()}
    entry = f'{kind} = "connectors.{kind}:{newborn.class_name}Connector"'
    index = {"docs/index.md": newborn.title_en, "docs/index.zh-CN.md": newborn.title_zh}
    changed = {
        "pyproject.toml": _with_entry(root / "pyproject.toml", entry),
        "CHANGELOG.md": _with_change(root / "CHANGELOG.md", newborn),
        **{name: _with_link(root / name, kind, title) for name, title in index.items()},
    }
    return Plan(root=root, new=new, changed=changed)


def into_package(newborn: Newborn, root: Path) -> Plan:
    """A package that imports `allears_sdk` alone."""
    kind = newborn.kind
    new = {f"{kind}/{name}": text for name, text in newborn.code().items()}
    new |= {f"tests/{name}": text for name, text in newborn.tests().items()}
    new |= {f"docs/{name}": text for name, text in newborn.pages().items()}
    new |= newborn.package()
    new |= {f"{kind}/py.typed": ""}
    return Plan(root=root, new={path: _alone(text, kind) for path, text in new.items()}, changed={})


def _alone(text: str, kind: str) -> str:
    return text.replace(f"connectors.{kind}", kind)


def _with_entry(path: Path, entry: str) -> str:
    """In its place by the alphabet."""
    head, found, rest = path.read_text(encoding="utf-8").partition(f"{_ENTRIES}\n")
    entries, gap, tail = rest.partition("\n\n")
    if not found:
        raise NotThere(path)
    lines = sorted([*entries.splitlines(), entry], key=lambda line: line.partition(" ")[0])
    return head + found + "\n".join(lines) + gap + tail


def _with_link(path: Path, kind: str, title: str) -> str:
    """Below the last list of channels."""
    suffix = ".zh-CN" if path.name.endswith(".zh-CN.md") else ""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    at = max((number for number, line in enumerate(lines) if _CHANNEL_LINK in line), default=-1)
    if at < 0:
        raise NotThere(path)
    lines.insert(at + 1, f"- [{title}](channels/{kind}{suffix}.md)\n")
    return "".join(lines)


def _with_change(path: Path, newborn: Newborn) -> str:
    """The last line of what the next version adds."""
    text = path.read_text(encoding="utf-8")
    added = re.search(r"(?ms)^## Unreleased\n.*?^### Added\n\n(?:.+\n)+", text)
    if not added:
        raise NotThere(path)
    line = f"- Channel: [{newborn.title_en}](docs/channels/{newborn.kind}.md).\n"
    return text[: added.end()] + line + text[added.end() :]
