"""What lies behind an error of the journal or the operating system, and what to do about it."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from allears.cli.failures import Exit
from allears.cli.session import Session

_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_PERMISSION = ("readonly database", "unable to open database", "Permission denied", "Read-only file system")
_OTHER_VERSION = ("no such table", "no such column", "has no column named")


def of_journal(session: Session, error: Exception) -> str:
    """For people; "" when it is no error of the journal."""
    from allears.journal.errors import JournalBroken, JournalInUse, JournalUnavailable
    from allears.journal.writer import translated

    found = translated(error) if isinstance(error, sqlite3.Error) else error
    text = str(found)
    if not isinstance(found, (JournalBroken, JournalInUse, JournalUnavailable)):
        return ""
    if any(sign in text for sign in _OTHER_VERSION):
        return session.say("other_version", folder=session.data_folder, reason=text)
    if any(sign in text for sign in _NO_PERMISSION):
        return _no_permission(session, session.data_folder or Path())
    return session.say("journal_error", reason=text) if isinstance(found, JournalUnavailable) else text


def of_system(session: Session, error: OSError) -> tuple[Exit, str]:
    if error.errno not in _FORBIDDEN:
        reason = error.strerror or str(error)
        return Exit.FAULTS, f"{reason}: {error.filename}" if error.filename else reason
    folder = session.data_folder
    path = Path(error.filename or folder or "")
    is_journal = folder is not None and (path.is_relative_to(folder) or folder.is_relative_to(path))
    return (Exit.JOURNAL if is_journal else Exit.FAULTS), _no_permission(session, path)


def _no_permission(session: Session, path: Path) -> str:
    return session.say("no_permission", path=path, owner=_owner(path))


def _owner(path: Path) -> str:
    """Of the path, or of the nearest folder above it that can be looked at."""
    for one in (path, *path.absolute().parents):
        try:
            return one.owner()
        except KeyError:
            return str(one.stat().st_uid)
        except OSError:
            continue
    return "?"
