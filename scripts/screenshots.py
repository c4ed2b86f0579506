"""Screenshots for the READMEs: a daemon with the tour's complaints, shown in headless Chromium, in both languages.

python scripts/screenshots.py [CHROMIUM]; writes docs/images/.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
POSTS: tuple[Mapping[str, Any], ...] = (
    {
        "text": "The lid of the lunch box broke after two days. I want a refund.",
        "order": "SO-20260301",
        "author": {"name": "Li Lei", "email": "li@example.com"},
    },
    {
        "text": "快递三天没动静，客服也联系不上，麻烦查一下并尽快补发。",
        "order": "7741003",
        "author": {"name": "李娜", "phone": "13600136000"},
    },
    {
        "text": "App charged me twice for the same order SO-20260527-310. Please refund one of the payments, $48.90.",
        "author": {"name": "Daniel Reyes", "email": "d.reyes@example.org"},
    },
)
COMPLAINTS = 7
"""Complaints that come of it: 3 posts, 2 mails, 2 of the sheet's 3 rows."""
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def main() -> None:
    browser = sys.argv[1] if len(sys.argv) > 1 else shutil.which("chromium") or "chromium"
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for language in ("en", "zh"):
            with _daemon(Path(folder) / language, language) as (console, form):
                _fill(Path(folder) / language, console, form)
                swollen, overdue = (_id(console, words) for words in ("Power bank", "退款还没到账"))
                case = swollen if language == "en" else overdue
                _shoot(browser, f"{console}/complaints", f"complaints-{language}", 1280, 800)
                _shoot(browser, f"{console}/complaints/{case}", f"complaint-{language}", 1280, 1000)
                _shoot(browser, f"{form}?lang={language}", f"form-{language}", 760, 1010)


@contextmanager
def _daemon(folder: Path, language: str) -> Iterator[tuple[str, str]]:
    """As `make run` starts it, on free ports: addresses of console and form."""
    folder.mkdir()
    settings = {
        "ALLEARS_DATA_FOLDER": str(folder / "data"),
        "ALLEARS_LANGUAGE": language,
        "ALLEARS_PUBLIC__PORT": "0",
        "ALLEARS_ADMIN__PORT": "0",
    }
    command = [sys.executable, "-m", "allears", "run"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as daemon:
        assert daemon.stdout
        console, form = ("http" + daemon.stdout.readline().strip().partition("http")[2] for _ in range(2))
        try:
            yield console, form
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(20)


def _fill(folder: Path, console: str, form: str) -> None:
    for post in POSTS:
        body = json.dumps(post).encode()
        with urlopen(Request(form, data=body, headers={"Content-Type": "application/json"})):
            pass
    for path in (ROOT / "docs" / "tour").iterdir():
        shutil.copy(path, folder / "data" / "inbox")
    end = time.monotonic() + 30
    while len(_complaints(console)) < COMPLAINTS and time.monotonic() < end:
        time.sleep(0.2)


def _complaints(console: str) -> list[dict[str, Any]]:
    with urlopen(f"{console}/api/complaints") as answer:
        found: list[dict[str, Any]] = json.load(answer)["complaints"]
    return found


def _id(console: str, words: str) -> str:
    return next(str(row["id"]) for row in _complaints(console) if words in row["title"])


def _shoot(browser: str, url: str, name: str, width: int, height: int) -> None:
    language = name.rpartition("-")[2]
    with tempfile.TemporaryDirectory() as profile:
        arguments = [f"--user-data-dir={profile}", f"--window-size={width},{height}", f"--accept-lang={language}"]
        target = IMAGES / f"{name}.png"
        command = [browser, *QUIET, *arguments, f"--screenshot={target}", url]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    print(target.relative_to(ROOT))


if __name__ == "__main__":
    main()
