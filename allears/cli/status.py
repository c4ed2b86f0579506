"""`allears status`: how everything stands, from the journal."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from allears.cli.house import daemon_is_up, journal_of, run
from allears.cli.session import Session, configured, table, with_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allears.journal.journal import Journal
    from allears.journal.records import ChannelRow, DestinationRow

_LETTERS_COUNTED = 1000


@click.command()
@configured
@with_session
def status(session: Session) -> None:
    """Replaced by the text of the reader's language."""
    configuration = session.configuration()
    found = run(_look(session, configuration))
    letters, more = found["open_letters"], "+" if found["open_letters"] == _LETTERS_COUNTED else ""
    source = configuration.source or session.say("built_in")
    session.emit(
        found,
        session.say("using", source=source),
        session.say("daemon_up" if found["daemon"] == "up" else "daemon_down"),
        "",
        found.get("channel_table", ""),
        "",
        found.get("destination_table", ""),
        "",
        session.say("open_letters", count=letters, more=more),
    )


async def _look(session: Session, configuration: Any) -> dict[str, Any]:
    folder = configuration.daemon.data_folder
    async with journal_of(session, folder) as journal:
        return await _read(session, journal) | {"daemon": "up" if daemon_is_up(folder) else "down"}


async def _read(session: Session, journal: Journal) -> dict[str, Any]:
    channels = await journal.channels()
    destinations = await journal.destinations()
    letters = await journal.letters(limit=_LETTERS_COUNTED)
    found: dict[str, Any] = {
        "channels": [asdict(row) for row in channels],
        "destinations": [asdict(row) for row in destinations],
        "open_letters": len(letters),
        "stamps": dict(await journal.stamps()),
    }
    if not session.as_json:
        found["channel_table"] = channel_table(session, channels)
        found["destination_table"] = destination_table(session, destinations)
    return found


def channel_table(session: Session, rows: Sequence[ChannelRow]) -> str:
    words = ("name", "kind", "state", "stored", "duplicate", "quarantined", "waiting", "last_success", "reason")
    return table(
        [session.say(word) for word in words],
        [
            [
                row.name,
                row.connector,
                row.state,
                row.stored,
                row.duplicate,
                row.quarantined,
                row.waiting,
                f"{row.last_success_at:%Y-%m-%d %H:%M:%SZ}" if row.last_success_at else "-",
                row.reason,
            ]
            for row in rows
        ],
    )


def destination_table(session: Session, rows: Sequence[DestinationRow]) -> str:
    words = ("name", "pending", "doubt", "sent", "letters", "reason")
    return table(
        [session.say(word) for word in words],
        [[row.name, row.pending, row.doubt, row.sent, row.letters, row.last_reason] for row in rows],
    )
