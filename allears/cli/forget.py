"""`allears forget`: shows what is kept of a customer, and erases it when told to."""

from __future__ import annotations

import getpass
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from allears.cli.failures import Exit, Failure
from allears.cli.house import daemon_is_up, has_journal
from allears.cli.progress import Progress
from allears.cli.session import Session, configured, progressing, rfc3339, shown, table, with_session

if TYPE_CHECKING:
    from allears.journal.finding import Found, FoundConversation
    from allears.journal.forgetting import Past


@click.command()
@click.argument("customer", required=False)
@click.option("--yes/--dry-run", "is_meant", default=False, help="--yes")
@click.option("--except", "without", multiple=True, metavar="REFERENCE", help="--except")
@click.option("--compact", "compacts", is_flag=True, help="--compact")
@progressing
@configured
@with_session
def forget(session: Session, customer: str | None, is_meant: bool, without: tuple[str, ...], compacts: bool) -> None:
    """Replaced by the text of the reader's language."""
    folder = session.glance().daemon.data_folder
    if not has_journal(folder):
        raise Failure(session.say("no_journal", folder=folder), Exit.JOURNAL)
    if customer is None:
        _go_on(session, folder, is_meant or compacts, compacts)
        return
    found = _search(session, folder, customer, without)
    described, lines = _describe(session, found), _lines(session, found)
    if is_meant:
        described, lines = _erase(session, folder, found, described, lines, compacts)
    else:
        lines.append(session.say("forget_dry"))
    session.emit(described, *lines)


def _search(session: Session, folder: Path, customer: str, without: tuple[str, ...]) -> Found:
    from allears.journal import oblivion
    from allears_sdk.reference import normalise

    kept = [normalise(one) or one for one in without]
    try:
        with Progress(session, "forget") as progress:
            found = oblivion.search(folder, customer, kept, progress.show)
    except ValueError as error:
        raise Failure(str(error), Exit.USAGE) from None
    if found is None:
        raise Failure(session.say("forget_nobody", customer=customer), Exit.NOT_FOUND)
    return found


def _erase(
    session: Session, folder: Path, found: Found, described: dict[str, Any], lines: list[str], compacts: bool
) -> tuple[dict[str, Any], list[str]]:
    from allears.journal import oblivion

    job = oblivion.begin(folder, found.plan, _operator(), time.time())
    left, is_compact = _finish(session, folder, compacts)
    done = next(one for one in oblivion.past(folder) if one.id == job)
    facts = {"conversations": done.conversations, "messages": done.messages, "cancelled": done.cancelled}
    told = described | {"erased": True, "left": left, "compact": is_compact, **facts}
    return told, [*lines, session.say("forget_done", **facts), *_afterwards(session, left, is_compact)]


def _finish(session: Session, folder: Path, compacts: bool) -> tuple[int, bool]:
    from allears.journal import oblivion

    with Progress(session, "forget") as progress:
        left = oblivion.go_on(folder, time.time(), progress.show)
        is_compact = oblivion.compact(folder, time.time(), is_daemon_up=daemon_is_up(folder), force=compacts)
    return left, is_compact


def _afterwards(session: Session, left: int, is_compact: bool) -> list[str]:
    lines = [session.say("forget_left", count=left)] if left else []
    return lines if is_compact else [*lines, session.say("forget_traces")]


def _operator() -> str:
    """Who did it, for the audit."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "?"


def _go_on(session: Session, folder: Path, is_meant: bool, compacts: bool) -> None:
    """What was forgotten before; with --yes what of it had to wait goes now."""
    from allears.journal import oblivion

    after = _afterwards(session, *_finish(session, folder, compacts)) if is_meant else []
    found = oblivion.past(folder)
    if not is_meant and not oblivion.is_compact(folder):
        after = [session.say("forget_traces")]
    session.emit([_past(one) for one in found], *_past_lines(session, found), *after)


def _past(one: Past) -> dict[str, Any]:
    return {
        "id": one.id,
        "begun_at": rfc3339(datetime.fromisoformat(one.begun_at)),
        "finished_at": rfc3339(datetime.fromisoformat(one.finished_at)) if one.finished_at else None,
        "by": one.by,
        "conversations": one.conversations,
        "messages": one.messages,
        "cancelled": one.cancelled,
        "left": one.left,
        "compact": one.is_compacted,
        "tickets": [{"destination": place, "ticket": ticket} for place, ticket in one.tickets],
    }


def _past_lines(session: Session, found: list[Past]) -> list[str]:
    if not found:
        return [session.say("forget_none")]
    words = ("number", "begun", "finished", "by", "conversations", "messages", "open")
    rows = [
        [one.id, _moment(one.begun_at), _moment(one.finished_at), one.by, one.conversations, one.messages, one.left]
        for one in found
    ]
    lines = [table([session.say(f"forget_{word}") for word in words], rows)]
    return [*lines, *_tickets(session, list(found[0].tickets))]


def _moment(text: str | None) -> str:
    return shown(datetime.fromisoformat(text) if text else None)


def _describe(session: Session, found: Found) -> dict[str, Any]:
    return {
        "erased": False,
        "known_by": sorted({value for _, _, value in found.marks}),
        "conversations": [_conversation(one) for one in found.conversations],
        "tickets": [{"destination": place, "ticket": ticket} for place, ticket in _all_tickets(session, found)],
        "sources": found.items,
        "files": [{"channel": channel, "file": name} for channel, name in found.files],
        "letters": list(found.letters),
        "mentions": list(found.mentions),
        "unread": found.unread,
    }


def _conversation(one: FoundConversation) -> dict[str, Any]:
    return {
        "reference": one.reference,
        "channel": one.channel,
        "opened_at": rfc3339(datetime.fromtimestamp(one.opened_at, UTC)),
        "customer": one.customer,
        "messages": one.messages,
        "theirs": one.is_theirs,
        "others": one.others,
        "sending": one.is_on_its_way,
    }


def _lines(session: Session, found: Found) -> list[str]:
    words = ("reference", "channel", "at", "customer", "forget_messages", "detail")
    rows = [
        [
            one.reference,
            one.channel,
            shown(datetime.fromtimestamp(one.opened_at, UTC)),
            one.customer,
            one.messages,
            session.say("forget_in" if one.is_theirs else "forget_among"),
        ]
        for one in found.conversations
    ]
    count = sum(one.messages for one in found.conversations)
    lines = [table([session.say(word) for word in words], rows)] if rows else []
    lines.append(session.say("forget_found", conversations=len(rows), messages=count))
    lines += _tickets(session, _all_tickets(session, found))
    return lines + _remarks(session, found)


def _remarks(session: Session, found: Found) -> list[str]:
    comma = session.say("comma")
    sending = [one.reference for one in found.conversations if one.is_on_its_way]
    others = sum(one.others for one in found.conversations)
    facts: list[tuple[str, object, dict[str, object]]] = [
        ("forget_others", others, {"count": others}),
        ("forget_letters", found.letters, {"numbers": comma.join(map(str, found.letters))}),
        ("forget_mentions", found.mentions, {"references": comma.join(found.mentions)}),
        ("forget_unread", found.unread, {"count": found.unread}),
        ("forget_sending", sending, {"references": comma.join(sending)}),
        ("forget_sources", found.items, {"channels": comma.join(f"{name} {n}" for name, n in found.items.items())}),
        ("forget_files", found.files, {"files": comma.join(f"{channel}: {name}" for channel, name in found.files)}),
        ("forget_backups", True, {}),
    ]
    return [session.say(key, **more) for key, applies, more in facts if applies]


def _all_tickets(session: Session, found: Found) -> list[tuple[str, str]]:
    return [
        (place, f"{ticket} {session.say('forget_doubtful')}" if url == "?" else f"{ticket} {url}".strip())
        for one in found.conversations
        for place, ticket, url in one.tickets
    ]


def _tickets(session: Session, tickets: list[tuple[str, str]]) -> list[str]:
    if not tickets:
        return []
    header = [session.say("destination"), session.say("ticket")]
    return ["", session.say("forget_tickets"), table(header, tickets), ""]
