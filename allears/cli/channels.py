"""`allears channels`: list, test, try, login, pause, resume, refetch, rename."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from allears.cli.failures import Exit, Failure
from allears.cli.family import Family
from allears.cli.house import has_journal, journal_of, run
from allears.cli.logins import as_rows, as_table, log_in, selected
from allears.cli.session import Session, configured, with_session
from allears.cli.status import channel_table

if TYPE_CHECKING:
    from allears.journal.records import ChannelRow
    from allears.settings import Configuration


@click.group(cls=Family)
@configured
def channels() -> None:
    """Replaced by the text of the reader's language."""


@channels.command("list")
@configured
@with_session
def list_(session: Session) -> None:
    configuration = session.glance()
    known = run(_rows(session, configuration))
    rows = [_row(name, kind, enabled, known) for name, kind, enabled in _configured(configuration)]
    rows += [row for name, row in known.items() if name not in {row.name for row in rows}]
    session.emit([asdict(row) for row in rows], channel_table(session, rows))


@channels.command("test")
@click.argument("name", required=False)
@configured
@with_session
def test_(session: Session, name: str | None) -> None:
    test_section(session, "channels", name)


@channels.command("try")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--media-type", default="", metavar="TYPE", help="--media-type")
@configured
@with_session
def try_(session: Session, name: str, file: Path, media_type: str) -> None:
    from allears.cli.channel_try import records_in

    configuration = session.configuration()
    if name not in configuration.channels:
        raise no_such(session, "channels", name, list(configuration.channels))
    settings = configuration.channels[name]
    session.emit_json(records_in(session, name, settings, file, media_type, configuration))


@channels.command()
@click.argument("name")
@configured
@with_session
def login(session: Session, name: str) -> None:
    from allears.cli.channel_login import log_in_personally

    configuration = session.configuration()
    if name not in configuration.channels:
        raise no_such(session, "channels", name, list(configuration.channels))
    outcome = run(log_in_personally(session, configuration, name))
    session.emit(asdict(outcome), as_table([outcome], session))
    if outcome.result == "failed":
        raise click.exceptions.Exit(Exit.FAULTS)


@channels.command()
@click.argument("name")
@configured
@with_session
def pause(session: Session, name: str) -> None:
    _order(session, name, "paused")
    session.emit({"name": name, "state": "paused"}, session.say("paused", name=name))


@channels.command()
@click.argument("name")
@configured
@with_session
def resume(session: Session, name: str) -> None:
    _order(session, name, "new")
    session.emit({"name": name, "state": "new"}, session.say("resumed", name=name))


@channels.command()
@click.argument("name")
@configured
@with_session
def refetch(session: Session, name: str) -> None:
    configuration = session.glance()
    count = run(_refetch(session, configuration, name))
    session.emit({"name": name, "files": count}, session.say("refetched", count=count, name=name))


@channels.command()
@click.argument("old")
@click.argument("new")
@configured
@with_session
def rename(session: Session, old: str, new: str) -> None:
    from allears.settings.loading import NAME

    configuration = session.glance()
    if not NAME.fullmatch(new):
        raise Failure(session.say("bad_name", name=new), Exit.USAGE)
    run(_rename(session, configuration, old, new))
    source = str(configuration.source or session.say("built_in"))
    session.emit({"old": old, "new": new}, session.say("renamed", old=old, new=new, source=source))


def test_section(session: Session, section: str, name: str | None) -> None:
    """Log in to all of a section, or to the one that is named; code 1 when any fails."""
    configuration = session.configuration()
    doors = selected(configuration, section)
    if name is not None:
        doors = [door for door in doors if door.name == name]
        if not doors:
            raise no_such(session, section, name, [door.name for door in selected(configuration, section)])
    logins = run(log_in(configuration, doors, session))
    session.emit(as_rows(logins), as_table(logins, session) if logins else session.say("nothing_configured"))
    if any(login.result == "failed" for login in logins):
        raise click.exceptions.Exit(Exit.FAULTS)


def no_such(session: Session, section: str, name: str, valid: list[str]) -> Failure:
    from allears.settings.faults import hint

    key = "no_such_channel" if section == "channels" else "no_such_destination"
    return Failure(session.say(key, name=name, hint=hint(name, valid, session.language)), Exit.NOT_FOUND)


def _configured(configuration: Configuration) -> list[tuple[str, str, bool]]:
    usable = [(name, channel.connector, channel.enabled) for name, channel in configuration.channels.items()]
    broken = [(one.name, one.kind, True) for one in configuration.disabled if one.section == "channels"]
    return usable + broken


def _row(name: str, kind: str, enabled: bool, known: Mapping[str, ChannelRow]) -> Any:
    from dataclasses import replace

    from allears.journal.records import ChannelRow

    row = known.get(name) or ChannelRow(name=name, connector=kind)
    return row if enabled else replace(row, state="off")


async def _rows(session: Session, configuration: Configuration) -> dict[str, ChannelRow]:
    """What the journal holds; nothing where the daemon has never run."""
    if not has_journal(configuration.daemon.data_folder):
        return {}
    async with journal_of(session, configuration.daemon.data_folder) as journal:
        return {row.name: row for row in await journal.channels()}


def _order(session: Session, name: str, state: str) -> None:
    configuration = session.glance()
    kinds = {row.name: row.connector for row in run(_rows(session, configuration)).values()}
    kinds |= {channel: kind for channel, kind, _ in _configured(configuration)}
    if name not in kinds:
        raise no_such(session, "channels", name, list(kinds))
    run(_note(session, configuration, name, kinds[name], state))


async def _note(session: Session, configuration: Configuration, name: str, kind: str, state: str) -> None:
    """A running daemon heeds what it finds in the journal."""
    async with journal_of(session, configuration.daemon.data_folder) as journal:
        await journal.order_channel(name, connector=kind, state=state)


async def _refetch(session: Session, configuration: Configuration, name: str) -> int:
    async with journal_of(session, configuration.daemon.data_folder) as journal:
        names = [row.name for row in await journal.channels()]
        if name not in names:
            raise no_such(session, "channels", name, names)
        return await journal.fetches.retry(name)


async def _rename(session: Session, configuration: Configuration, old: str, new: str) -> None:
    async with journal_of(session, configuration.daemon.data_folder) as journal:
        names = [row.name for row in await journal.channels()]
        if old not in names:
            raise no_such(session, "channels", old, names)
        if new in names:
            raise Failure(session.say("name_taken", name=new), Exit.USAGE)
        await journal.rename_channel(old, new)
