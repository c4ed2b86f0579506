"""The console's words in Chinese and English, and the choice between them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from allears_sdk.words import LANGUAGES, words


@dataclass(frozen=True, slots=True)
class Texts:
    """One language's table; keys are `section.name`."""

    language: str
    table: dict[str, str]

    def __call__(self, key: str, **facts: object) -> str:
        """The text with its facts put in. KeyError for an unknown key."""
        text = self.table[key]
        return text.format(**facts) if facts else text

    def counted(self, key: str, count: int, **facts: object) -> str:
        """The text for that many: `key_one` for one."""
        return self(f"{key}_one" if count == 1 else key, count=count, **facts)

    def word(self, section: str, value: str) -> str:
        """The word for a value from outside; the value itself where we have none."""
        return self.table.get(f"{section}.{value}", value)

    def category(self, value: str) -> str:
        """`product.function_failure` → "Product · does not work"."""
        return " · ".join(self.word("category", part) for part in value.split(".")) if value else ""


@cache
def load_texts(language: str) -> Texts:
    """Reads the table from disk once. `language` is one of `LANGUAGES`."""
    own = tomllib.loads(files("allears.console").joinpath(f"texts/{language}.toml").read_text("utf-8"))
    sections = {**words(language), **own}
    return Texts(language, {f"{name}.{key}": text for name, part in sections.items() for key, text in part.items()})


def choose_language(asked: str, cookie: str, accepted: str, default: str) -> str:
    """What the address asks for (`?lang=`), else what the reader chose, else what the browser prefers
    (`Accept-Language`), else the configured one."""
    for chosen in (asked, cookie):
        if chosen in LANGUAGES:
            return chosen
    ranked = sorted((_ranked(part) for part in accepted.split(",")), key=lambda pair: -pair[0])
    for weight, tag in ranked:
        primary = tag.split("-")[0]
        if weight > 0 and primary in LANGUAGES:
            return primary
    return default if default in LANGUAGES else "en"


def _ranked(part: str) -> tuple[float, str]:
    tag, _, parameter = part.partition(";")
    weight = parameter.strip().removeprefix("q=")
    try:
        return float(weight or 1), tag.strip().lower()
    except ValueError:
        return 0.0, ""
