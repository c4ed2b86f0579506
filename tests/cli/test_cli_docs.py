"""docs/cli.md and docs/config.md, in both languages, name every command, option, exit code and section."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from allears.cli.entry import cli
from allears.cli.failures import Exit
from allears.settings.sections import SECTIONS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _commands(group: click.Group, path: str = "") -> dict[str, click.Command]:
    context = click.Context(group)
    found: dict[str, click.Command] = {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        below = _commands(command, f"{path} {name}") if isinstance(command, click.Group) else {}
        found |= below or {f"{path} {name}".strip(): command}
    return found


@pytest.mark.parametrize("name", ["cli.md", "cli.zh-CN.md"])
def test_commands_options_and_codes(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    for path, command in _commands(cli).items():
        family, _, action = path.partition(" ")
        assert f"`allears {path}" in text or (f"allears {family}" in text and f"`{action} " in text), path
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.opts[0] not in ("--channel", "--workers"):
                assert parameter.opts[0] in text, f"{path} {parameter.opts[0]}"
    for code in Exit:
        assert re.search(rf"(?m)^\| {int(code)} \|", text)


@pytest.mark.parametrize("name", ["config.md", "config.zh-CN.md"])
def test_sections(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    for section in SECTIONS:
        assert f"`[{section}]`" in text
    for section in ("channels", "destinations"):
        assert f"`[{section}.NAME]`" in text
