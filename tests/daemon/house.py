"""A daemon in a process of its own, with a configuration that the test writes."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ="
TOKEN = "console-token-7f3a"
CONFIGURATION = """
[allears]
data_folder = "data"
log_level = "{level}"
stop_seconds = {stop_seconds}
[public]
port = {public}
[admin]
port = {admin}
token = "{token}"
[channels.form]
connector = "form"
[channels.desk]
connector = "folder"
path = "{folder}/desk"
interval_seconds = 1
settle_file_seconds = 0
[destinations.file]
sink = "jsonl"
path = "{folder}/filed.jsonl"
"""
HOOK = """
[destinations.hook]
sink = "webhook"
url = "{url}"
secret = "{secret}"
allow_private_network = true
timeout_seconds = 30
"""


class House:
    """Starts and stops the daemon of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log_file = folder / "daemon.log"
        self.addresses: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, more: str = "", **facts: Any) -> None:
        values = {"folder": self.folder, "public": 0, "admin": 0, "token": TOKEN, "level": "debug", "stop_seconds": 10}
        text = CONFIGURATION.format(**{**values, **facts}) + more
        (self.folder / "allears.toml").write_text(text, encoding="utf-8")

    def edit(self, old: str, new: str) -> None:
        path = self.folder / "allears.toml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`allears ARGUMENTS` in another process."""
        return subprocess.run(
            [*_ALLEARS, *arguments, "--config", "allears.toml"],
            cwd=self.folder, env=_environment(), capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

    def start(self) -> None:
        """Until it says where it listens."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*_ALLEARS, "--json", "run", "--config", "allears.toml"],
                cwd=self.folder, env=_environment(), stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.addresses = json.loads(self._first_words())

    def _first_words(self) -> bytes:
        assert self._process
        assert self._process.stdout
        words, deadline = b"", time.monotonic() + 20
        while not words.rstrip().endswith(b"}"):
            ready, _, _ = select.select([self._process.stdout], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self._process.stdout.fileno(), 65536) if ready else b""
            assert piece, f"the daemon did not start: {self.log}"
            words += piece
        return words

    def signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def stop(self, timeout_seconds: float = 30) -> int:
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_seconds)

    def wait(self, timeout_seconds: float = 30) -> int:
        assert self._process
        assert self._process.stdout
        code = self._process.wait(timeout_seconds)
        self._process.stdout.close()
        return code

    def clear(self) -> None:
        """End what a failed test left."""
        if self._process and self._process.stdout:
            self._process.stdout.close()
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)

    # Speaking

    def post(self, text: str, key: str, *, path: str = "/in/form", **message: Any) -> dict[str, Any]:
        """The answer to a complaint by the form's JSON twin."""
        body = json.dumps({"text": text, **message}, ensure_ascii=False).encode()
        request = Request(
            self.addresses["forms"][0].replace("/in/form", path),
            data=body,
            headers={"Content-Type": "application/json", "Idempotency-Key": key},
        )
        with urlopen(request, timeout=10) as answer:
            read: dict[str, Any] = json.load(answer)
        return read

    def drop(self, key: str, text: str, folder: str = "desk") -> None:
        """A mail into the watched folder."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "韩梅梅 <hanmm@example.cn>", "kefu@example.com", key
        message["Message-ID"] = f"<{key}@example.cn>"
        message.set_content(text)
        (self.folder / folder).mkdir(exist_ok=True)
        partial = self.folder / folder / f".{key}.part"
        partial.write_bytes(message.as_bytes())
        partial.rename(self.folder / folder / f"{key}.eml")

    # Looking

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def filed(self, name: str = "filed.jsonl") -> list[dict[str, Any]]:
        path = self.folder / name
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def until(self, condition: Callable[[], object], what: str, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"never came true: {what}\n{self.log}"
            time.sleep(0.05)

    def until_filed(self, count: int, name: str = "filed.jsonl") -> list[dict[str, Any]]:
        self.until(lambda: len(self.filed(name)) >= count, f"{count} filed in {name}")
        return self.filed(name)

    def api(self, path: str) -> dict[str, Any]:
        request = Request(self.addresses["console"] + path, headers={"Authorization": f"Bearer {TOKEN}"})
        with urlopen(request, timeout=10) as answer:
            read: dict[str, Any] = json.load(answer)
        return read


_ALLEARS = [sys.executable, "-m", "allears"]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ALLEARS_", "LC_"))}
    return {**kept, "LANG": "en_US.UTF-8", "PYTHONIOENCODING": "utf-8"}
