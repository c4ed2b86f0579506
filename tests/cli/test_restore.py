"""Backup and restore: what was there is kept, wherever folders may be renamed or not."""

from __future__ import annotations

import errno
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allears.journal.opening import lock_folder

Allears = Callable[..., Any]

MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def test_backup_and_restore(allears: Allears, journal: Path, tmp_path: Path) -> None:
    assert allears("backup", "copy", "--progress").code == 0
    assert allears("backup", "copy").code == 2
    assert allears("restore", "nowhere").code == 5
    assert allears("restore", "copy").code == 2
    restored = allears("restore", "copy", "--force", "--json").json
    assert Path(restored["kept"]).is_dir()
    status = allears("status", "--json").json
    assert status["open_letters"] == 3
    assert re.fullmatch(MOMENT, status["stamps"]["restored"])
    assert re.fullmatch(MOMENT, status["stamps"]["born"])


def test_restore_where_the_data_folder_may_not_be_renamed(
    allears: Allears, journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under systemd: the folder above belongs to root. (The tests may run as root, who is refused nothing.)"""
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path == journal:
            raise PermissionError(errno.EACCES, "Permission denied", str(path), None, str(target))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    assert allears("backup", "copy").code == 0
    (journal / "inbox").mkdir()
    (journal / "inbox" / "one.eml").write_bytes(b"Subject: x\n\ny")
    first = Path(allears("restore", "copy", "--force", "--json").json["kept"])
    assert first.parent == journal
    assert re.fullmatch(r"before-restore-\d{8}T\d{6}Z", first.name)
    assert (first / "inbox" / "one.eml").is_file()
    assert (first / "journal.sqlite3").is_file()
    assert allears("status", "--json").json["open_letters"] == 3
    assert sorted(path.name for path in journal.iterdir() if path.name.startswith(".")) == []
    (first / "moved").mkdir()
    first.rename(journal / "before-restore-20260101T000000Z")
    second = Path(allears("restore", "copy", "--force", "--json").json["kept"])
    assert not list(second.glob("before-restore-*")), "what an earlier restore kept stays where it is"


def test_a_restore_that_fails_leaves_everything_in_place(allears: Allears, journal: Path, tmp_path: Path) -> None:
    assert allears("backup", "copy").code == 0
    (tmp_path / "copy" / "journal.sqlite3").write_bytes(b"no database" * 100)
    assert allears("restore", "copy", "--force").code != 0
    assert allears("status", "--json").json["open_letters"] == 3
    assert allears("backup", str(journal / "inner")).code == 0
    refused = allears("restore", str(journal / "inner"), "--force")
    assert refused.code == 2
    assert "copy it elsewhere" in refused.err


def test_restore_refuses_while_the_daemon_is_up(allears: Allears, journal: Path) -> None:
    assert allears("backup", "copy").code == 0
    lock = lock_folder(journal)
    try:
        restore = [sys.executable, "-m", "allears", "restore", "copy", "--force"]
        refused = subprocess.run(restore, capture_output=True, check=False, text=True)
        assert refused.returncode == 4
        assert "stop it first" in refused.stderr
    finally:
        lock.release()
