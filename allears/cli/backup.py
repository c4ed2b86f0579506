"""`allears backup` and `allears restore`."""

from __future__ import annotations

from pathlib import Path

import click

from allears.cli.failures import Exit, Failure
from allears.cli.house import daemon_is_up, has_journal
from allears.cli.progress import Progress
from allears.cli.session import Session, configured, progressing, with_session

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("folder", type=FOLDER)
@progressing
@configured
@with_session
def backup(session: Session, folder: Path) -> None:
    """Replaced by the text of the reader's language."""
    from allears.journal.copying import back_up

    configuration = session.glance()
    if folder.exists() and any(folder.iterdir()):
        raise Failure(session.say("not_empty", folder=folder), Exit.USAGE)
    data_folder = configuration.daemon.data_folder
    if not has_journal(data_folder):
        raise Failure(session.say("no_journal", folder=data_folder), Exit.JOURNAL)
    with Progress(session, "backup") as progress:
        back_up(data_folder, folder, progress.show)
    session.emit({"folder": str(folder)}, session.say("backed_up", folder=folder))


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--force", is_flag=True, help="--force")
@progressing
@configured
@with_session
def restore(session: Session, folder: Path, force: bool) -> None:
    """Replaced by the text of the reader's language."""
    from allears.cli.restoring import put_in_place

    target = session.glance().daemon.data_folder
    _check_restore(session, folder, target, force)
    with Progress(session, "restore") as progress:
        kept = put_in_place(folder, target, progress.show)
    lines = [session.say("restored", folder=target)] + ([session.say("kept", kept=kept)] if kept else [])
    session.emit({"folder": str(target), "kept": str(kept) if kept else None}, *lines)


def _check_restore(session: Session, folder: Path, target: Path, force: bool) -> None:
    from allears.journal.opening import FILE

    if not (folder / FILE).is_file():
        raise Failure(session.say("not_a_backup", folder=folder), Exit.NOT_FOUND)
    if not target.exists() or not any(target.iterdir()):
        return
    if daemon_is_up(target):
        raise Failure(session.say("stop_first", folder=target), Exit.JOURNAL)
    if not force:
        raise Failure(session.say("restore_not_empty", folder=target), Exit.USAGE)
    if folder.resolve().is_relative_to(target.resolve()):
        raise Failure(session.say("backup_inside", folder=folder), Exit.USAGE)
