"""`allears letters`: list, show, replay, discard. Masked until asked."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from allears.cli.failures import Exit, Failure
from allears.cli.family import Family
from allears.cli.house import journal_of, run
from allears.cli.session import Session, configured, rfc3339, shown, table, with_session

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from allears.journal.journal import Journal
    from allears.journal.records import Letter, StoredRaw

_SHOWN_CHARACTERS = 4000
_STATES = ("open", "replayed", "discarded")
_PAGE = 500


@click.group(cls=Family)
@configured
def letters() -> None:
    """Replaced by the text of the reader's language."""


@letters.command("list")
@click.option("--state", type=click.Choice(_STATES), default="open", help="--state")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, help="--limit")
@click.option("--unmask", is_flag=True, help="--unmask")
@configured
@with_session
def list_(session: Session, state: str, limit: int, unmask: bool) -> None:
    async def work(journal: Journal) -> list[dict[str, Any]]:
        return [_described(letter, unmask) for letter in await journal.letters(state=state, limit=limit)]

    found = _with_journal(session, work)
    header = [session.say(key) for key in ("id", "kind", "place", "at", "reason")]
    rows = [[one["id"], one["kind"], one["place"], _spaced(one["at"]), one["reason"]] for one in found]
    session.emit(found, table(header, rows) if rows else session.say("no_letters"))


@letters.command()
@click.argument("number", type=int)
@click.option("--unmask", is_flag=True, help="--unmask")
@configured
@with_session
def show(session: Session, number: int, unmask: bool) -> None:
    async def work(journal: Journal) -> dict[str, Any]:
        letter = await _letter(session, journal, number)
        raw = await journal.raw(letter.raw_id) if letter.raw_id else None
        return _described(letter, unmask) | _context(raw, unmask) | _content(raw, unmask)

    found = _with_journal(session, work)
    facts = [f"{key}: {_flat(value)}" for key, value in found.items() if key not in _CONTENT and value not in _EMPTY]
    session.emit(found, *facts, *_content_lines(session, found))


@letters.command()
@click.argument("numbers", type=int, nargs=-1)
@click.option("--all", "every", is_flag=True, help="--all")
@configured
@with_session
def replay(session: Session, numbers: tuple[int, ...], every: bool) -> None:
    _each(session, numbers, every, "replayed")


@letters.command()
@click.argument("numbers", type=int, nargs=-1, required=True)
@configured
@with_session
def discard(session: Session, numbers: tuple[int, ...]) -> None:
    _each(session, numbers, False, "discarded")


def _each(session: Session, numbers: tuple[int, ...], every: bool, done: str) -> None:
    if not numbers and not every:
        raise Failure(session.say("which_letters"), Exit.USAGE)
    if numbers and every:
        raise Failure(session.say("all_or_some"), Exit.USAGE)

    async def work(journal: Journal) -> list[dict[str, Any]]:
        wanted = await _open_numbers(journal) if every else list(numbers)
        for number in wanted if not every else ():
            await _letter(session, journal, number)
        return [await _act(journal, number, done) for number in wanted]

    found = _with_journal(session, work)
    session.emit(found, *(one.get("reason") or session.say(done, id=one["id"]) for one in found))
    if any("reason" in one for one in found):
        raise click.exceptions.Exit(Exit.FAULTS)


async def _act(journal: Journal, number: int, done: str) -> dict[str, Any]:
    act = journal.replay_letter if done == "replayed" else journal.discard_letter
    try:
        await act(number)
    except ValueError as error:
        return {"id": number, "result": "failed", "reason": str(error)}
    return {"id": number, "result": done}


async def _open_numbers(journal: Journal) -> list[int]:
    """Oldest first, so that what is replayed keeps its order."""
    found: list[int] = []
    before: int | None = None
    while page := await journal.letters(limit=_PAGE, before=before):
        found += [letter.id for letter in page]
        before = page[-1].id
    return found[::-1]


async def _letter(session: Session, journal: Journal, number: int) -> Letter:
    letter = await journal.letter(number)
    if letter is None:
        raise Failure(session.say("no_such_letter", id=number), Exit.NOT_FOUND)
    return letter


def _with_journal(session: Session, work: Callable[[Journal], Coroutine[Any, Any, Any]]) -> Any:
    folder = session.glance().daemon.data_folder
    return run(_opened(session, folder, work))


async def _opened(session: Session, folder: Path, work: Callable[[Journal], Coroutine[Any, Any, Any]]) -> Any:
    async with journal_of(session, folder) as journal:
        return await work(journal)


def _described(letter: Letter, unmask: bool) -> dict[str, Any]:
    found = asdict(letter) | {"kind": letter.kind.value, "at": rfc3339(letter.at)}
    found["locator"] = {key: _masked(str(value), unmask) for key, value in letter.locator.items()}
    return found | {key: _masked(found[key], unmask) for key in ("reason", "detail")}


def _spaced(at: str) -> str:
    return shown(datetime.fromisoformat(at))


_CONTENT = ("media_type", "size", "content", "cut")
_EMPTY: tuple[object, ...] = ("", None, {})


def _flat(value: Any) -> Any:
    return " ".join(f"{key}={word}" for key, word in value.items()) if isinstance(value, dict) else value


def _context(stored: StoredRaw | None, unmask: bool) -> dict[str, Any]:
    """Where it was found: file and row, folder and number."""
    context = stored.raw.context if stored else {}
    return {"context": {key: _masked(str(value), unmask) for key, value in context.items()}}


def _content(stored: StoredRaw | None, unmask: bool) -> dict[str, Any]:
    if stored is None:
        return {}
    text = stored.raw.body.decode("utf-8", "replace")
    is_text = "\x00" not in text
    shown = _masked(text[:_SHOWN_CHARACTERS], unmask) if is_text else ""
    return {
        "media_type": stored.raw.media_type,
        "size": len(stored.raw.body),
        "content": shown,
        "cut": max(0, len(text) - _SHOWN_CHARACTERS) if is_text else len(text),
    }


def _content_lines(session: Session, found: dict[str, Any]) -> list[str]:
    if "content" not in found:
        return []
    lines = [session.say("content", media_type=found["media_type"], size=found["size"]), found["content"]]
    if not found["content"]:
        return [lines[0], session.say("binary")]
    return [*lines, session.say("cut", count=found["cut"])] if found["cut"] else lines


def _masked(text: str, unmask: bool) -> str:
    from allears_sdk.masking import KINDS, mask_text

    return text if unmask else mask_text(text, KINDS)
