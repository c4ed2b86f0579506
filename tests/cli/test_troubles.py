"""A faulty file, a journal that cannot be had: what still works, and what people are told."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Allears = Callable[..., Any]

BROKEN = """
[allears]
data_folder = "data"
language = "en"
log_levl = "info"
[channels.mail]
connector = "email"
host = "mail.example.com"
username = "a"
password = "env:MAIL_PASSWORD"
[channels.inbox]
connector = "folder"
interval_seconds = "often"
[destinations.desk]
sink = "webhok"
[destinations.list]
sink = "list"
"""


def test_an_invalid_file_ends_with_3(allears: Allears, tmp_path: Path) -> None:
    (tmp_path / "allears.toml").write_text("[public]\nprot = 1\n")
    for command in (["check"], ["run"], ["channels", "test"], ["sinks", "test"]):
        outcome = allears(*command, "--json")
        assert outcome.code == 3
        assert outcome.json["faults"] == [
            {"place": "public.prot", "line": 2, "message": 'unknown key; did you mean "port"?'}
        ]
        assert "Traceback" not in outcome.err
    assert "未知的配置项" in allears("check", "--language", "zh").err


@pytest.mark.parametrize("text", [BROKEN, BROKEN + "[channels.form\nconnector = form\n"])
def test_a_faulty_file_does_not_bar_the_journal(
    allears: Allears, journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.delenv("ALLEARS_DATA_FOLDER")
    (tmp_path / "allears.toml").write_text(text)
    for command in (
        ["status"], ["letters"], ["letters", "list"], ["letters", "show", "1"], ["letters", "discard", "1"],
        ["backup", "copy"], ["channels", "list"], ["channels", "pause", "inbox"], ["channels", "resume", "inbox"],
        ["sinks", "list"], ["restore", "copy", "--force"],
    ):  # fmt: skip
        outcome = allears(*command)
        if command == ["letters"]:
            continue
        assert outcome.code == 0, (command, outcome.err)
        assert outcome.err.count("warning: ") == 1
        assert f"going on with the journal in {journal}" in outcome.err
    for command in (["check"], ["run"]):
        assert allears(*command).code == 3


def test_an_unset_secret_does_not_bar_the_journal(allears: Allears, journal: Path, tmp_path: Path) -> None:
    (tmp_path / "allears.toml").write_text(
        '[admin]\nhost = "0.0.0.0"\nport = 8000\ntoken = "env:NOT_HERE"\n[channels.form]\nconnector = "form"\n'
    )
    found = allears("status", "--json")
    assert found.code == 0
    assert found.json["addresses"]["console"] == "http://127.0.0.1:8000"
    assert "1 fault" in found.err


@pytest.mark.parametrize(
    "text",
    ["[allears]\ndata_folder = 5\n", '[allears]\ndata_foldr = "x"\n', '[allers]\ndata_folder = "x"\n', "[allears\n"],
)
def test_a_file_that_hides_the_data_folder_is_not_guessed_at(
    allears: Allears, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Another journal than the daemon's would be worse than none."""
    (tmp_path / "allears.toml").write_text(text)
    monkeypatch.delenv("ALLEARS_DATA_FOLDER")
    assert allears("status").code == 3


def test_faults_stand_in_the_order_of_their_lines(allears: Allears, tmp_path: Path) -> None:
    (tmp_path / "allears.toml").write_text(BROKEN)
    lines = [fault["line"] for fault in allears("check", "--json").json["faults"]]
    assert len(lines) == 4
    assert lines == sorted(lines)


def test_no_permission_says_who_owns_it(
    allears: Allears, journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(journal / "inbox"))

    assert allears("backup", "copy").code == 0
    monkeypatch.setattr("allears.cli.restoring.put_in_place", refuse)
    outcome = allears("restore", "copy", "--force")
    assert outcome.code == 4
    assert str(journal / "inbox") in outcome.err
    assert f"belongs to {journal.owner()}" in outcome.err
    assert "disk" not in outcome.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("attempt to write a readonly database", "belongs to"),
        ("unable to open database file", "belongs to"),
        ("no such column: l.view", "of another version"),
        ("no such table: lines", "of another version"),
        ("database or disk is full", "is the disk full"),
    ],
)
def test_what_lies_behind_an_error_of_the_journal(
    allears: Allears, journal: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError(text)

    monkeypatch.setattr("allears.journal.copying.back_up", fail)
    outcome = allears("backup", "copy")
    assert outcome.code == 4
    assert said in outcome.err
    assert "unexpected" not in outcome.err
    assert ("disk" in outcome.err) is ("disk" in text)


def test_unexpected_errors_are_one_line(allears: Allears, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> str:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr("allears.settings.example.example", fail)
    outcome = allears("init")
    assert outcome.code == 1
    assert outcome.err == "error: unexpected: ZeroDivisionError: odd; run again with --debug and tell us\n"


def test_without_a_journal_commands_say_what_to_do(allears: Allears) -> None:
    for command in (["status"], ["letters", "list"], ["backup", "b"], ["channels", "pause", "form"]):
        outcome = allears(*command)
        assert outcome.code == 4
        assert "allears run" in outcome.err
    assert [row["name"] for row in allears("channels", "list", "--json").json] == ["form", "inbox"]
