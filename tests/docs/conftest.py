"""A daemon as the README starts one, on free ports and a data folder of its own; and the pages."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK_PORTS = {"ALLEARS_PUBLIC__PORT": "0", "ALLEARS_ADMIN__PORT": "0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A running daemon."""

    folder: Path
    console: str
    form: str
    environment: Mapping[str, str]

    def complaints(self) -> list[dict[str, Any]]:
        """What the console's list shows, newest first."""
        with urlopen(f"{self.console}/api/complaints") as answer:
            found: list[dict[str, Any]] = json.load(answer)["complaints"]
        return found


def clean_environment(folder: Path, **more: str) -> dict[str, str]:
    """The caller's environment without settings of allears; English texts; data in `folder`/data."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ALLEARS_", "LC_"))}
    return {**kept, "LANG": "en_US.UTF-8", "ALLEARS_DATA_FOLDER": str(folder / "data"), **LOOPBACK_PORTS, **more}


@contextmanager
def running(folder: Path, **more: str) -> Iterator[House]:
    """`allears run` in `folder`, with its `allears.toml` where there is one."""
    environment = clean_environment(folder, **more)
    command = [sys.executable, "-m", "allears", "--json", "run"]
    with (
        (folder / "daemon.log").open("w+") as log,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as daemon,
    ):
        try:
            assert daemon.stdout
            output = ""
            while not _is_json(output) and (line := daemon.stdout.readline()):
                output += line
            assert output, (folder / "daemon.log").read_text()
            addresses = json.loads(output)
            yield House(
                folder=folder,
                console=addresses["console"],
                form=addresses["forms"][0],
                environment=environment,
            )
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(20)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Starts a daemon; it stops with the test."""
    with ExitStack() as houses:
        yield lambda **more: houses.enter_context(running(tmp_path, **more))


def until(truth: Callable[[], Any], seconds: float = 20) -> Any:
    """Waits until `truth()` is true, and gives it; the last value when the time is over."""
    end = time.monotonic() + seconds
    while not (value := truth()) and time.monotonic() < end:
        time.sleep(0.1)
    return value


def pages() -> list[Path]:
    """Every page of documentation, the generated reference too."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "config" / "reference.md"])


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page that are marked with this language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
