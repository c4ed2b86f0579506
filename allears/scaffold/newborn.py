"""What a new connector is called and how it hears, and its files as the templates have them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
HEARING = ("poll", "listen", "receive")
KIND = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
MAX_KIND_CHARS = 24
MAX_TITLE_CHARS = 60
_NOT_IN_TITLES = frozenset('"\\|[]<>`{}')
"""They mean something in Python, Markdown or a template."""
_CHOICE = re.compile(r"(?m)^ *# %% (.+)\n")
"""Choices are comments in Python, so that the templates are formatted and linted like all our code."""
_AFTER_IMPORT = re.compile(r"(?m)^((?:from|import) .+\n)\n(?=# %% (?:else|endif))")
"""The formatter wants an empty line between imports and a comment; the written file has no comment there."""


def is_kind(name: str) -> bool:
    """Whether it can be folder, module, config value and page."""
    return bool(KIND.fullmatch(name)) and len(name) <= MAX_KIND_CHARS and not iskeyword(name)


def is_title(title: str) -> bool:
    return 0 < len(title) <= MAX_TITLE_CHARS and title.isprintable() and not _NOT_IN_TITLES & set(title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newborn:
    kind: str
    hearing: str
    """One of `HEARING`."""
    is_chat: bool
    title_en: str
    title_zh: str

    @property
    def class_name(self) -> str:
        """Of the connector's classes, without what they are: `ShopDesk` for `shop_desk`."""
        return "".join(part.capitalize() for part in self.kind.split("_"))

    def code(self) -> dict[str, str]:
        """File name → content, of the connector's own package."""
        return self._drawn("code-all", self._kindred("code"))

    def tests(self) -> dict[str, str]:
        return self._drawn("tests-all", self._kindred("tests"))

    def pages(self) -> dict[str, str]:
        """File name → content, in both languages."""
        drawn = self._drawn("docs")
        return {name.replace("page", self.kind): text for name, text in drawn.items()}

    def package(self) -> dict[str, str]:
        """What a package of its own has beside code, tests and pages; `.in.` hides its rules from our linter."""
        return self._drawn("package")

    def _kindred(self, part: str) -> str:
        return f"{part}-receive" if self.hearing == "receive" else f"{part}-pull"

    def _drawn(self, *folders: str) -> dict[str, str]:
        drawn = {}
        for folder in folders:
            for name, source in _sources(TEMPLATES / folder):
                text = _environment().from_string(self._named(source)).render(self._facts())
                drawn[self._named(name.replace(".in.", "."))] = text.rstrip("\n") + "\n"
        return drawn

    def _named(self, text: str) -> str:
        """The templates are those of a connector called newborn, which polls and whose items stand alone."""
        hears = ", ".join(f"Hears.{way.upper()}" for way in self._ways())
        words = {
            "NEWBORN": self.kind.upper(),
            "Newborn": self.class_name,
            "newborn": self.kind,
            "frozenset({Hears.POLL})": f"frozenset({{{hears}}})",
            "Threading.ITEM": f"Threading.{'CHAT' if self.is_chat else 'ITEM'}",
        }
        for word, own in words.items():
            text = text.replace(word, own)
        return text

    def _ways(self) -> tuple[str, ...]:
        return ("poll", "listen") if self.hearing == "listen" else (self.hearing,)

    def _facts(self) -> Mapping[str, object]:
        return {
            "kind": self.kind,
            "title_en": self.title_en,
            "title_zh": self.title_zh,
            "example_name": self.kind.replace("_", "-"),
            "version": version("allears"),
            "chat": self.is_chat,
            "listen": self.hearing == "listen",
            "receive": self.hearing == "receive",
        }


def _sources(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            name = path.relative_to(folder).as_posix()
            source = _AFTER_IMPORT.sub(r"\1", path.read_text(encoding="utf-8"))
            yield name, _CHOICE.sub(r"{% \1 %}\n", source)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, StrictUndefined

    return Environment(  # noqa: S701 nothing here is HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
