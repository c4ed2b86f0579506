"""`allears rederive`: filed complaints read again by today's rules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from allears.cli.failures import Exit, Failure
from allears.cli.house import journal_of, quiet, run
from allears.cli.session import Session, configured, progressing, with_session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allears.cli.rereading import Reread, Sum
    from allears.settings import Configuration

_SHOWN_CHARACTERS = 60


@click.command()
@click.option("--channel", default="", help="--channel")
@click.option("--since", default="", help="--since")
@click.option("--after", type=click.IntRange(min=0), default=0, help="--after")
@click.option("--dry-run", "is_dry", is_flag=True, help="--dry-run")
@click.option("--apply", "is_applied", is_flag=True, help="--apply")
@click.option("--unmask", is_flag=True, help="--unmask")
@progressing
@configured
@with_session
def rederive(
    session: Session, channel: str, since: str, after: int, is_dry: bool, is_applied: bool, unmask: bool
) -> None:
    """Replaced by the text of the reader's language."""
    from allears.cli.rereading import Chosen

    if is_dry and is_applied:
        raise Failure(session.say("rederive_both"), Exit.USAGE)
    chosen = Chosen(channel=channel, since=_moment(session, since), after=after, is_applied=is_applied)
    configuration = session.configuration()
    total, found = run(_rederive(session, configuration, chosen, unmask))
    session.emit(_plain(total, found, unmask), *_summary(session, total))
    if total.failed:
        raise click.exceptions.Exit(Exit.FAULTS)


async def _rederive(
    session: Session, configuration: Configuration, chosen: Any, unmask: bool
) -> tuple[Sum, list[Reread]]:
    """Changes are shown as they are found; with --json they are kept for the end."""
    from asyncio import CancelledError
    from contextlib import aclosing

    from allears.cli.progress import Progress
    from allears.cli.rereading import Sum, reread
    from allears.workers.ordeal import try_patterns

    total, kept = Sum(version=_version(configuration), is_applied=chosen.is_applied, last=chosen.after), list[Any]()
    with quiet():
        await try_patterns(configuration, session.language)
        async with journal_of(session, configuration.daemon.data_folder) as journal:
            count = await journal.anew.count(channel=chosen.channel, since=chosen.since, after=chosen.after)
            with Progress(session, "rederive") as progress:
                try:
                    async with aclosing(reread(journal, configuration, chosen, total.version)) as found:
                        async for one in found:
                            total.add(one)
                            if one.is_telling and session.as_json:
                                kept.append(one)
                            elif one.is_telling:
                                click.echo(_line(session, one, unmask))
                            progress.show(total.done, count)
                except CancelledError:
                    session.note(session.say("rederive_go_on", after=total.last))
                    raise
    return total, kept


def _moment(session: Session, given: str) -> datetime | None:
    """UTC where it names no zone."""
    if not given:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise Failure(session.say("rederive_bad_since", value=given), Exit.USAGE) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _version(configuration: Configuration) -> str:
    from normalizer.rules.pack import version_of

    return version_of(text for _, text in configuration.own_rules.files)


def _line(session: Session, one: Reread, unmask: bool) -> str:
    if one.failure:
        return session.say("rederive_change", complaint=one.complaint, changes=one.failure)
    fields = [
        session.say("rederive_field", field=name, before=_cell(before, unmask), after=_cell(after, unmask))
        for name, (before, after) in one.changes.items()
    ]
    return session.say("rederive_change", complaint=one.complaint, changes=session.say("comma").join(fields))


def _cell(value: Any, unmask: bool) -> str:
    import json

    from allears_sdk.codec import plain

    text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
    text = _masked(" ".join(text.split()), unmask) or "-"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _masked(text: str, unmask: bool) -> str:
    from allears_sdk.masking import KINDS, mask_text

    return text if unmask else mask_text(text, KINDS)


def _summary(session: Session, total: Sum) -> list[str]:
    lines = [
        session.say(
            "rederive_sum", done=total.done, version=total.version, changed=total.changed, same=total.same,
            skipped=total.awaited, failed=total.failed,
        )
    ]  # fmt: skip
    if total.fields:
        named = [f"{name} {count}" for name, count in total.fields.most_common()]
        lines.append(session.say("rederive_fields", fields=session.say("comma").join(named)))
    if total.is_applied:
        return [*lines, session.say("rederive_applied", count=total.changed)]
    return [*lines, session.say("rederive_dry")] if total.changed else lines


def _plain(total: Sum, found: list[Reread], unmask: bool) -> dict[str, Any]:
    return {
        "rules": total.version,
        "applied": total.is_applied,
        "complaints": total.done,
        "changed": total.changed,
        "same": total.same,
        "awaited": total.awaited,
        "failed": total.failed,
        "fields": dict(total.fields.most_common()),
        "last": total.last,
        "records": [
            {
                "id": one.complaint,
                "channel": one.channel,
                "changes": _pairs(one.changes, unmask),
                "event": one.event_id,
                **({"reason": one.failure} if one.failure else {}),
            }
            for one in found
        ],
    }


def _pairs(changes: Mapping[str, tuple[Any, Any]], unmask: bool) -> dict[str, Any]:
    from allears_sdk.codec import plain

    return {name: [_veiled(plain(value), unmask) for value in pair] for name, pair in changes.items()}


def _veiled(value: Any, unmask: bool) -> Any:
    if isinstance(value, str):
        return _masked(value, unmask)
    if isinstance(value, dict):
        return {key: _veiled(one, unmask) for key, one in value.items()}
    return [_veiled(one, unmask) for one in value] if isinstance(value, list | tuple) else value
