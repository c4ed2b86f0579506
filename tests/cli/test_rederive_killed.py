"""`allears rederive --apply`, stopped and killed in the middle: run again it goes on, and files nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.journal.desk import Desk, mail

COUNT = 3000
"""More lines than a pipe holds: it cannot end before it is stopped."""
CONFIGURATION = '[allears]\ndata_folder = "data"\n[understanding]\nencoder = "never"\n'
COMMAND = [sys.executable, "-m", "allears", "rederive", "--apply", "--language", "en", "--config", "allears.toml"]


def begun(folder: Path) -> subprocess.Popen[str]:
    """Until it has filed some."""
    process = subprocess.Popen(
        COMMAND, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell leaves it ignored
    )  # fmt: skip
    assert process.stdout
    for _ in range(20):
        assert process.stdout.readline()
    return process


def finished(folder: Path, after: str) -> dict[str, Any]:
    command = [*COMMAND, "--json", "--after", after]
    ended = subprocess.run(command, cwd=folder, capture_output=True, env=_environment(), timeout=60, check=True)
    read: dict[str, Any] = json.loads(ended.stdout)
    return read


def _environment() -> dict[str, str]:
    """Unbuffered: what is printed is told at once, so that the signal comes in the middle."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALLEARS_")}
    return kept | {"PYTHONUNBUFFERED": "1"}


async def test_stopped_and_killed_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "allears.toml").write_text(CONFIGURATION, encoding="utf-8")
    desk = await Desk.open(tmp_path / "data")
    await desk.accept("mail", *[desk.raw(f"{number}", mail(f"{number}")) for number in range(COUNT)])
    for _ in range(COUNT // 1000):
        await desk.read_waiting()
    await desk.close()

    stopped = begun(tmp_path)
    stopped.send_signal(signal.SIGINT)
    _, told = stopped.communicate(timeout=30)
    assert stopped.returncode == 130
    after = told.strip().rpartition("--after ")[2]
    killed = begun(tmp_path)
    killed.kill()
    killed.communicate(timeout=30)

    found = finished(tmp_path, after)
    assert found["complaints"] == COUNT - int(after)
    assert 0 < found["changed"] < found["complaints"]

    desk = await Desk.open(tmp_path / "data")
    events = Counter(row[0] for row in desk.rows("SELECT conversation_id FROM events"))
    await desk.close()
    assert set(events.values()) == {2}
    assert len(events) == COUNT
