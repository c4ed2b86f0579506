"""Both languages say everything, and say it with the same facts."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

import allears.console
from allears.console.texts import Texts, choose_language, load_texts
from allears.journal.records import DeliveryState, LetterKind
from allears_sdk.complaint import CATEGORIES, EXPECTATIONS, NATURES, PRIORITIES, EventKind
from allears_sdk.words import LANGUAGES

TEMPLATES = sorted((Path(allears.console.__file__).parent / "templates").glob("*.html"))
NAMED = re.compile(r"\bt(?:\.counted)?\(\"([a-z_]+\.[a-z_]+)\"[,)]")


def facts_of(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_hold_the_same_keys_with_the_same_facts() -> None:
    zh, en = load_texts("zh").table, load_texts("en").table
    assert zh.keys() == en.keys()
    assert {key: facts_of(text) for key, text in zh.items()} == {key: facts_of(text) for key, text in en.items()}
    assert not [key for key, text in (zh | en).items() if not text.strip()]


def test_chinese_is_chinese() -> None:
    plain = {"nav.version", "nav.other_language", "unit.bytes", "unit.kilobytes", "unit.megabytes"}
    untranslated = [
        key for key, text in load_texts("zh").table.items() if key not in plain and not re.search(r"[一-鿿]", text)
    ]
    assert untranslated == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_of_the_record_has_a_word(language: str) -> None:
    table = load_texts(language).table
    wanted = [
        *(f"nature.{value}" for value in NATURES),
        *(f"priority.{value}" for value in PRIORITIES),
        *(f"expectation.{value}" for value in EXPECTATIONS),
        *(f"category.{part}" for value in CATEGORIES for part in value.split(".")),
        *(f"event.{value}" for value in EventKind),
        *(f"delivery_state.{value}" for value in DeliveryState),
        *(f"letter_kind.{value}" for value in LetterKind),
        *(f"attention.letter_{value}{one}" for value in LetterKind for one in ("", "_one")),
    ]
    assert [key for key in wanted if key not in table] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_every_text_a_template_asks_for_exists(template: Path) -> None:
    table = load_texts("en").table
    asked = set(NAMED.findall(template.read_text("utf-8")))
    assert {key for key in asked if key not in table} == set()


@pytest.mark.parametrize(
    ("cookie", "accepted", "default", "chosen"),
    [
        ("", "", "en", "en"),
        ("", "", "zh", "zh"),
        ("zh", "en-GB,en;q=0.9", "en", "zh"),
        ("fr", "en-GB,en;q=0.9", "zh", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "en", "zh"),
        ("", "fr-FR,en;q=0.3,zh-TW;q=0.7", "en", "zh"),
        ("", "en;q=0,zh", "en", "zh"),
        ("", "en;q=high,;;,,*", "zh", "zh"),
        ("", "de", "nonsense", "en"),
    ],
)
def test_the_language_is_the_readers(cookie: str, accepted: str, default: str, chosen: str) -> None:
    assert choose_language("", cookie, accepted, default) == chosen
    assert choose_language("fr", cookie, accepted, default) == chosen
    assert [choose_language(asked, cookie, accepted, default) for asked in LANGUAGES] == list(LANGUAGES)


def test_words_from_outside_are_no_templates() -> None:
    texts = Texts("en", {"a.b": "{place} stopped"})
    assert texts("a.b", place="{0} {evil!r}") == "{0} {evil!r} stopped"
    assert texts.word("state", "unheard of") == "unheard of"
