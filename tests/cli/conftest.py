"""A command line in a house of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from allears.cli.entry import cli
from allears.context import SystemClock
from allears.journal.records import Deposit, Policy
from allears.journal.sqlite import open_journal
from allears_sdk.connector import Missing, Threading
from allears_sdk.message import RFC822, Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Allears = Callable[..., Outcome]


@pytest.fixture
def allears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Allears:
    """Run `allears ARGUMENTS` in an empty folder, with English texts and a data folder beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.setenv("ALLEARS_DATA_FOLDER", str(tmp_path / "data"))

    def run(*arguments: str, stdin: str | bytes = "", env: Mapping[str, str] | None = None) -> Outcome:
        result = CliRunner().invoke(cli, list(arguments), input=stdin, env=env)
        return Outcome(code=result.exit_code, out=result.stdout, err=result.stderr)

    return run


@pytest.fixture
async def journal(tmp_path: Path) -> Path:
    """A data folder whose journal knows two channels and three letters."""
    folder = tmp_path / "data"
    opened = await open_journal(folder, SystemClock(), exclusive=True)
    raw = Raw(
        key="k1",
        body="From: zhang@example.com\n\n请致电 13800138000".encode(),
        media_type=RFC822,
        received_at=SystemClock().now(),
        quarantine="over the size limit",
    )
    missing = [Missing(key="m", reason="the server gave nothing for 13912345678", locator={"folder": "INBOX"})]
    policy = Policy(threading=Threading.MAIL)
    await opened.accept(Deposit(channel="inbox", raws=[raw], policy=policy, missing=missing))
    await opened.accept(Deposit(channel="form", raws=[], policy=policy, missing=missing))
    for name in ("inbox", "form"):
        await opened.note_channel(name, connector="folder", state="running")
    await opened.close()
    return folder
