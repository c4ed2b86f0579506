"""A backup takes the place of the data folder; what was there is kept."""

from __future__ import annotations

import errno
import shutil
from datetime import UTC, datetime
from pathlib import Path

from allears.journal.copying import Report
from allears.journal.copying import restore as restore_backup
from allears.journal.opening import FILE

_STAGE = ".restoring"
_KEPT = "before-restore-"
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV)
"""A folder that may not be renamed: its parent belongs to somebody else, as with /var/lib, or it is a mount."""


def put_in_place(backup: Path, target: Path, report: Report) -> Path | None:
    """Restore into `target`. Returns where its former contents are, None when there were none: beside it, else in a
    folder inside it. Until the backup is copied whole nothing is touched. Raises OSError."""
    if not target.exists() or not any(target.iterdir()):
        restore_backup(backup, target, report)
        return None
    stage = target / _STAGE
    shutil.rmtree(stage, ignore_errors=True)
    try:
        restore_backup(backup, stage, report)
        return _swap(target)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise


def _swap(target: Path) -> Path:
    at = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    beside = target.with_name(f"{target.name}.before-{at}")
    try:
        target.rename(beside)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        return _swap_inside(target, target / f"{_KEPT}{at}")
    (beside / _STAGE).rename(target)
    return beside


def _swap_inside(target: Path, kept: Path) -> Path:
    """The journal leaves first and comes last: in between, no daemon finds half of one."""
    kept.mkdir(mode=0o700)
    leaving = [one for one in target.iterdir() if one.name != _STAGE and not one.name.startswith(_KEPT)]
    for one in sorted(leaving, key=lambda path: path.name != FILE):
        one.rename(kept / one.name)
    stage = target / _STAGE
    for one in sorted(stage.iterdir(), key=lambda path: path.name == FILE):
        one.rename(target / one.name)
    stage.rmdir()
    return kept
