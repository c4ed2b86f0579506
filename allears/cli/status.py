"""`allears status`: how everything stands, from the journal."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from allears.cli.addresses import addresses_of
from allears.cli.house import daemon_is_up, journal_of, run
from allears.cli.session import Session, configured, rfc3339, shown, table, with_session
from allears_sdk.codec import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from allears.journal.journal import Journal
    from allears.journal.records import ChannelRow, DestinationRow
    from allears.settings import Configuration

_LETTERS_COUNTED = 1000
_MOMENTS = ("born", "restored")


@click.command()
@configured
@with_session
def status(session: Session) -> None:
    """Replaced by the text of the reader's language."""
    configuration = session.glance()
    found, channels = run(_look(session, configuration))
    letters, more = found["open_letters"], "+" if found["open_letters"] == _LETTERS_COUNTED else ""
    addresses = found["addresses"]
    session.emit(
        found,
        session.say("using", source=found["configuration"] or session.say("built_in")),
        session.say("data_folder", folder=found["data_folder"]),
        session.say("daemon_up" if found["daemon"] == "up" else "daemon_down"),
        *([session.say("console_at", url=addresses["console"])] if addresses["console"] else []),
        *(session.say("form_at", url=url) for url in addresses["forms"]),
        *(session.say("chat_at", url=url) for url in addresses["chats"]),
        "",
        session.say("complaint_count", count=found["complaints"]),
        session.say("unfiled", count=sum(found["unfiled"].values()), natures=_counted(found["unfiled"], session)),
        session.say("open_letters", count=letters, more=more),
        *_fetches(found["fetches"], session),
        *_upkeep(found, session),
        "",
        channel_table(session, channels),
        "",
        destination_table(session, found["destinations"]),
    )


async def _look(session: Session, configuration: Configuration) -> tuple[dict[str, Any], Sequence[ChannelRow]]:
    folder = configuration.daemon.data_folder
    async with journal_of(session, folder) as journal:
        channels = await journal.channels()
        found = {
            "configuration": str(configuration.source) if configuration.source else None,
            "data_folder": str(folder),
            "daemon": "up" if daemon_is_up(folder) else "down",
            "addresses": addresses_of(configuration),
            "complaints": await complaint_count(journal),
            "unfiled": await unfiled_by_nature(journal),
            "open_letters": len(await journal.letters(limit=_LETTERS_COUNTED)),
            "fetches": [asdict(one) for one in await journal.fetches.counts()],
            "retention": [plain(one) for one in await journal.upkeep.standing()],
            "to_forget": await journal.upkeep.to_forget(),
            "channels": [asdict(row) for row in channels],
            "destinations": await destination_rows(configuration, journal),
            "stamps": _moments(await journal.stamps()),
        }
    return found, channels


async def unfiled_by_nature(journal: Journal) -> dict[str, int]:
    """Most first."""
    found: Counter[str] = Counter()
    for one in await journal.unfiled_counts():
        found[one.nature] += one.count
    return dict(found.most_common())


def _counted(natures: Mapping[str, int], session: Session) -> str:
    from allears.console.texts import load_texts

    texts = load_texts("zh" if session.language == "zh" else "en")
    words = [f"{texts.word('nature', nature)} {count}" for nature, count in natures.items()]
    return session.say("natures", natures=session.say("comma").join(words)) if words else ""


def _fetches(counts: Sequence[Mapping[str, Any]], session: Session) -> list[str]:
    waiting, skipped = (sum(one[state] for one in counts) for state in ("waiting", "skipped"))
    return [session.say("fetches", waiting=waiting, skipped=skipped)] if waiting or skipped else []


def _upkeep(found: Mapping[str, Any], session: Session) -> list[str]:
    erased = {one["name"]: one["erased"] for one in found["retention"]}
    lines = [session.say("retention_line", **erased)] if any(erased.values()) else []
    return [*lines, session.say("to_forget", count=found["to_forget"])] if found["to_forget"] else lines


def _moments(stamps: Mapping[str, str]) -> dict[str, str]:
    """The journal keeps seconds since 1970."""
    return {
        name: rfc3339(datetime.fromtimestamp(float(value), UTC)) if name in _MOMENTS and value else value
        for name, value in stamps.items()
    }


async def complaint_count(journal: Journal) -> int:
    return (await journal.complaints(limit=1))[1]


async def destination_rows(configuration: Configuration, journal: Journal | None) -> list[dict[str, Any]]:
    """All that are configured, used or not, then those only the journal remembers. A view gets no deliveries:
    `complaints` says how many it shows."""
    from allears.journal.records import REPLIES, DestinationRow

    known: dict[str, DestinationRow] = {row.name: row for row in await journal.destinations()} if journal else {}
    filed = await complaint_count(journal) if journal else 0
    kinds = {name: settings.sink for name, settings in configuration.destinations.items()}
    kinds |= {one.name: one.kind for one in configuration.disabled if one.section == "destinations"}
    answering = {REPLIES + name for name, one in configuration.enabled_channels.items() if one.acknowledges}
    kinds |= {name: "reply" for name in (*answering, *known) if name.startswith(REPLIES)}
    return [
        asdict(known.get(name) or DestinationRow(name=name))
        | {
            "sink": kinds.get(name, ""),
            "enabled": name in configuration.enabled_destinations or name in answering,
            "complaints": filed if _is_view(kinds.get(name, "")) else None,
        }
        for name in (*kinds, *(known.keys() - kinds.keys()))
    ]


def _is_view(kind: str) -> bool:
    from allears_sdk import registry
    from allears_sdk.errors import ConfigError

    try:
        return kind not in ("", "reply") and registry.sink_class(kind).spec.is_view
    except ConfigError:
        return False


def channel_table(session: Session, rows: Sequence[ChannelRow]) -> str:
    words = ("name", "kind", "state", "stored", "duplicate", "quarantined", "waiting", "last_success", "reason")
    return table(
        [session.say(word) for word in words],
        [
            [
                row.name,
                row.connector,
                session.say(f"state_{row.state}"),
                row.stored,
                row.duplicate,
                row.quarantined,
                row.waiting,
                shown(max(filter(None, (row.last_success_at, row.last_item_at)), default=None)),
                row.reason,
            ]
            for row in rows
        ],
    )


def destination_table(session: Session, rows: Sequence[Mapping[str, Any]]) -> str:
    """What is not delivered but shown stands under COMPLAINTS."""
    words = ("name", "kind", "complaints", "pending", "doubt", "sent", "letters", "reason")
    keys = ("name", "sink", "complaints", "pending", "doubt", "sent", "letters", "last_reason")
    cells = [["-" if row[key] is None else row[key] for key in keys] for row in rows]
    return table([session.say(word) for word in words], cells)
