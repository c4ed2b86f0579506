"""The README's tour, typed as it stands there, in both languages, on a copy of what a clone holds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.docs.conftest import ROOT, House, blocks, until

READMES = ("README.md", "README.zh-CN.md")
PUBLIC = "http://127.0.0.1:8780"
REFERENCE = re.compile(r"ALE(-[0-9A-HJKMNP-TV-Z]{4}){3}")


def commands(page: str) -> list[str]:
    """What stands behind `$ ` in the console blocks."""
    lines = "".join(blocks(page, "console")).splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def typed(page: str, first: str) -> str:
    """The one command that begins so."""
    (found,) = [command for command in commands(page) if command.startswith(first)]
    return found


def type_in(command: str, folder: Path, environment: Mapping[str, str], form: str = "") -> str:
    """Its standard output. The console's ports stand for those of this test's daemon."""
    command = command.replace(f"{PUBLIC}/in/form", form)
    done = subprocess.run(
        ["bash", "-euc", command], cwd=folder, env={**environment, "PYTHONUTF8": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files of a clone that the tour touches, and its `.venv/bin/allears`."""
    shutil.copytree(ROOT / "docs" / "tour", tmp_path / "docs" / "tour")
    script = tmp_path / ".venv" / "bin" / "allears"
    script.parent.mkdir(parents=True)
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m allears "$@"\n')
    script.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("page", READMES)
def test_the_tour(page: str, clone: Path, start: Callable[..., House]) -> None:
    house = start()
    _complain(page, clone, house)
    type_in(typed(page, "cp docs/tour"), clone, house.environment)
    found = until(lambda: (rows := house.complaints()) and len(rows) == 5 and rows)
    assert len(found) == 5, f"not filed: {found}"
    urgent = {row["title"] for row in found if row["priority"] == "P1"}
    assert urgent == {"退货十天了，退款还没到账", "Power bank swollen and hot - order SO-20260518-077"}
    done = clone / "data" / "inbox" / "done"
    assert until(lambda: len(list(done.iterdir())) == 3)
    _ask(page, clone, house)


def _complain(page: str, clone: Path, house: House) -> None:
    curl = typed(page, "curl")
    first = json.loads(type_in(curl, clone, house.environment, house.form))
    assert REFERENCE.fullmatch(first["reference"])
    again = json.loads(type_in(curl, clone, house.environment, house.form))
    assert again["reference"] == first["reference"]
    assert "already_known" in json.dumps(again)


def _ask(page: str, clone: Path, house: House) -> None:
    environment = {**house.environment, "ALLEARS_DATA_FOLDER": "data"}
    assert "inbox" in type_in(typed(page, ".venv/bin/allears status"), clone, environment)
    assert type_in(typed(page, ".venv/bin/allears letters list"), clone, environment).strip() == "no letters"
    backup = typed(page, ".venv/bin/allears backup")
    type_in(backup.replace("/tmp/allears-backup", "backup"), clone, environment)
    assert (clone / "backup" / "journal.sqlite3").is_file()
    mail = json.loads(type_in(typed(page, ".venv/bin/allears normalise"), clone, environment))
    assert mail["complaint"]["entities"]["order"] == ["3384756201948857231"]
    line = json.loads(type_in(typed(page, "echo"), clone, environment))
    assert line["complaint"]["nature"] == "complaint"


@pytest.mark.parametrize("page", READMES)
def test_every_command_is_tried_here_or_by_the_makefile(page: str) -> None:
    tried = ("curl", "cp docs/tour", "export ALLEARS_DATA_FOLDER=data", ".venv/bin/allears ", "echo ")
    targets = re.findall(r"(?m)^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"))
    for command in commands(page):
        target = re.match(r"make (\w+)", command)
        assert (target and target[1] in targets) or command.startswith(tried), command


def test_both_languages_type_the_same() -> None:
    first, second = ([command.split()[:2] for command in commands(page)] for page in READMES)
    assert first == second


def test_the_addresses_are_the_defaults() -> None:
    from allears.settings.sections import AdminSection, PublicSection

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"http://127.0.0.1:{PublicSection().port}/in/form" in text
    assert f"http://127.0.0.1:{AdminSection().port}" in text
