"""What a record's values and fields are called, in Chinese and English: the console and the tickets say the same."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

LANGUAGES = ("zh", "en")


@cache
def words(language: str) -> dict[str, dict[str, str]]:
    """`section` → `value` → word, read from disk once. Sections: nature, priority, expectation, category, field, and
    ticket. `language` is one of `LANGUAGES`."""
    return tomllib.loads(files("allears_sdk.words").joinpath(f"{language}.toml").read_text("utf-8"))


def word(language: str, section: str, value: str) -> str:
    """The word for a value; the value itself where we have none."""
    return words(language)[section].get(value, value)


def category(language: str, value: str) -> str:
    """`product.function_failure` → "Product · does not work"."""
    return " · ".join(word(language, "category", part) for part in value.split(".")) if value else ""
