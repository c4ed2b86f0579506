"""Help, in both languages, for everything there is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click
import pytest

from allears.cli.entry import cli
from allears.cli.texts import HELP, TEXTS

Allears = Callable[..., Any]


def _paths(group: click.Group, path: str = "") -> list[str]:
    """Every group and command there is, the root as ""."""
    context = click.Context(group)
    found = [path]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        below = f"{path} {name}".strip()
        found += _paths(command, below) if isinstance(command, click.Group) else [below]
    return found


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("command", _paths(cli))
def test_help_in_both_languages(allears: Allears, command: str, language: str) -> None:
    for asked in ("--help", "-h"):
        outcome = allears(*command.split(), asked, "--language", language)
        assert outcome.code == 0
        _is_translated(outcome.out, command, language)


def _is_translated(text: str, command: str, language: str) -> None:
    squeezed = "".join(text.split())
    assert "".join(HELP[language][command].partition("\n")[0].split()) in squeezed
    assert "Replaced" not in text
    assert "Show this message" not in text
    assert re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+).*  +\1$", text) == []


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("group", ["channels", "sinks", "letters"])
def test_a_group_alone_shows_its_help(allears: Allears, group: str, language: str) -> None:
    outcome = allears("--language", language, group)
    assert outcome.code == 2
    _is_translated(outcome.err, group, language)
    for path, text in HELP[language].items():
        if path.startswith(f"{group} ") and "--" not in path:
            assert text.partition("\n")[0] in outcome.err


def test_mistyped_words_are_answered_with_the_nearest(allears: Allears) -> None:
    for command, nearest in (
        (["stauts"], "status"),
        (["chanels", "list"], "channels"),
        (["letters", "lst"], "list"),
        (["letters", "list", "--jsn"], "--json"),
        (["check", "--timeout"], "--timeout-seconds"),
    ):
        outcome = allears(*command)
        assert outcome.code == 2
        assert nearest in outcome.err.lower().partition("did you mean")[2]
    assert "是否想写“status”" in allears("--language", "zh", "stauts").err


def test_language_follows_the_environment(allears: Allears) -> None:
    assert "命令" in allears("--help", env={"LANG": "zh_CN.UTF-8"}).out
    assert "Commands" in allears("--help", env={"LANG": "zh_CN.UTF-8", "ALLEARS_LANGUAGE": "en"}).out


def test_both_languages_say_the_same_things() -> None:
    for texts in (TEXTS, HELP):
        assert texts["zh"].keys() == texts["en"].keys()
        for key, text in texts["en"].items():
            assert _places(text) == _places(texts["zh"][key]), key


def _places(text: str) -> set[str]:
    return {part.split("}")[0].split(":")[0] for part in text.split("{")[1:]}
