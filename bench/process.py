"""The daemon under measurement: a process with a folder of its own, and what it costs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

import psutil


class Process:
    """`with Process(arguments, folder, port)`: runs until the block ends, its children too."""

    def __init__(
        self, arguments: list[str], folder: Path, port: int, environment: dict[str, str] | None = None
    ) -> None:
        self.peak_bytes = 0
        self._arguments = [sys.executable, "-m", *arguments]
        self._folder = folder
        self._port = port
        self._environment = {**os.environ, **(environment or {})}

    def __enter__(self) -> Process:
        log = (self._folder / f"{self._arguments[2]}.log").open("ab")
        self._process = subprocess.Popen(
            self._arguments, cwd=self._folder, stdout=log, stderr=log, start_new_session=True, env=self._environment
        )
        wait_for_port(self._port, self._process)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_seconds(self) -> float:
        """Of the process and its children so far."""
        one = psutil.Process(self._process.pid)
        times = [process.cpu_times() for process in (one, *one.children(recursive=True))]
        return sum(each.user + each.system for each in times)

    def measure(self) -> int:
        """Resident bytes of the process and its children now; the peak of all calls is kept."""
        one = psutil.Process(self._process.pid)
        total = 0
        for process in (one, *one.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        self.peak_bytes = max(self.peak_bytes, total)
        return total


class Folder:
    """A folder that goes with the block."""

    def __enter__(self) -> Path:
        self._path = Path(tempfile.mkdtemp(prefix="allears-bench-"))
        self._path.chmod(0o755)
        return self._path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        shutil.rmtree(self._path, ignore_errors=True)


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until somebody answers HTTP there. RuntimeError when the process ends instead."""
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nobody answers on port {port}")
