"""Which of the two languages a browser is spoken to in."""

from __future__ import annotations

from typing import Literal

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


def choose(asked: str, accept_language: str, default: Language) -> Language:
    """The one asked for by the link, else the browser's first choice of the two, else `default`."""
    for language in LANGUAGES:
        if asked == language:
            return language
    ranked = sorted(_preferences(accept_language), key=lambda choice: -choice[1])
    return next((known for tag, weight in ranked for known in LANGUAGES if tag == known and weight > 0), default)


def _preferences(accept_language: str) -> list[tuple[str, float]]:
    return [_preference(part) for part in accept_language[:200].split(",")]


def _preference(part: str) -> tuple[str, float]:
    tag, _, weight = part.partition(";")
    try:
        value = float(weight.strip().removeprefix("q=") or 1)
    except ValueError:
        value = 0.0
    return tag.strip().lower().split("-")[0], value
