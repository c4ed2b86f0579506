"""`allears normalise PATH…`: one JSON line per input, in their order; a bad input is a line of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import click

from allears.cli.failures import Exit
from allears.cli.house import run
from allears.cli.normalising import Failed, Given, Settled, normalise_all
from allears.cli.progress import Progress
from allears.cli.session import Session, configured, progressing, with_session
from normalizer.own_rules import OwnRules

_LISTS = (".jsonl", ".ndjson", ".json")
_MAILS = (".eml", ".msg")
_SOUGHT = (*_MAILS, ".jsonl", ".ndjson")
_MAX_MAIL_BYTES = 150_000_000
_BATCH_INPUTS = 64
_BATCH_BYTES = 2 << 20
_POOL_FROM = 3
"""Batches; fewer are done in this process, sooner than another one starts."""


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option("--workers", type=click.IntRange(0, 64), default=0, help="--workers")
@click.option("--channel", default="normalise", help="--channel")
@click.option("--region", default="CN", help="--region")
@click.option("--timezone", default="UTC", help="--timezone")
@click.option("--quick", is_flag=True, help="--quick")
@progressing
@configured
@with_session
def normalise(
    session: Session, paths: tuple[str, ...], workers: int, channel: str, region: str, timezone: str, quick: bool
) -> None:
    """Replaced by the text of the reader's language."""
    configuration = session.configuration() if session.config else None
    settled = Settled(
        channel=channel,
        region=region.upper(),
        timezone=timezone,
        now=datetime.now(UTC),
        own=configuration.own_rules if configuration else OwnRules(),
        thoroughly=not quick and (configuration is None or configuration.understanding.listens),
    )
    failed = run(_normalise(session, paths, workers, settled))
    if failed:
        raise click.exceptions.Exit(Exit.FAULTS)


async def _normalise(session: Session, paths: tuple[str, ...], workers: int, settled: Settled) -> int:
    """Print as results come. Returns how many inputs failed."""
    out = sys.stdout.buffer
    done = failed = 0
    with Progress(session, "normalise") as progress:
        async with aclosing(_results(_batches(inputs(paths, session)), workers, settled, session)) as results:
            async for lines, bad in results:
                out.write(lines)
                out.flush()
                done += lines.count(b"\n")
                failed += bad
                progress.show(done, 0)
    return failed


async def _results(
    batches: Iterator[list[Given | Failed]], workers: int, settled: Settled, session: Session
) -> AsyncGenerator[tuple[bytes, int], None]:
    """Batches worked through side by side, and given back in order."""
    from allears.cli.side_by_side import side_by_side

    first = [batch for _, batch in zip(range(_POOL_FROM), batches, strict=False)]
    if len(first) < _POOL_FROM or workers == 1:
        for batch in (*first, *batches):
            yield normalise_all(batch, settled)
        return
    async with aclosing(side_by_side(first, batches, workers or os.cpu_count() or 1, settled, session)) as results:
        async for result in results:
            yield result


def _batches(found: Iterable[Given | Failed]) -> Iterator[list[Given | Failed]]:
    batch: list[Given | Failed] = []
    size = 0
    for one in found:
        batch.append(one)
        size += one.size
        if len(batch) >= _BATCH_INPUTS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def inputs(paths: Iterable[str], session: Session) -> Iterator[Given | Failed]:
    """Every input the paths name, read as it is asked for."""
    for name in paths:
        path = Path(name)
        if name == "-":
            yield from _stdin()
        elif path.is_dir():
            yield from _folder(path, session)
        elif path.exists():
            yield from _file(path, session)
        else:
            yield Failed(source=name, error=session.say("no_such_path"))


def _folder(folder: Path, session: Session) -> Iterator[Given | Failed]:
    found = False
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if Path(name).suffix.lower() in _SOUGHT:
                found = True
                yield from _file(Path(where, name), session)
    if not found:
        yield Failed(source=str(folder), error=session.say("nothing_found"))


def _file(path: Path, session: Session) -> Iterator[Given | Failed]:
    try:
        if _is_list(path):
            with path.open("rb") as lines:
                yield from _lines(str(path), lines, whole=path.suffix.lower() == ".json")
        elif path.stat().st_size > _MAX_MAIL_BYTES:
            yield Failed(source=str(path), error=session.say("too_large", limit=_MAX_MAIL_BYTES))
        else:
            yield Given(source=str(path), body=path.read_bytes(), is_mail=True)
    except OSError as error:
        yield Failed(source=str(path), error=session.say("not_readable", reason=error.strerror))


def _is_list(path: Path) -> bool:
    """By its name, else by its first character."""
    suffix = path.suffix.lower()
    if suffix in _LISTS or suffix in _MAILS:
        return suffix in _LISTS
    with path.open("rb") as file:
        return _starts_json(file.read(64))


def _starts_json(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def _stdin() -> Iterator[Given | Failed]:
    """JSONL line by line; what does not look like it is one mail."""
    stream = sys.stdin.buffer
    head = stream.readline()
    while head and not head.strip():
        head = stream.readline()
    if _starts_json(head):
        yield from _lines("-", _chain(head, stream))
    elif head:
        yield Given(source="-", body=head + stream.read(), is_mail=True)


def _chain(head: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _lines(source: str, lines: Iterable[bytes], *, whole: bool = False) -> Iterator[Given]:
    if whole:
        yield Given(source=source, body=b"".join(lines), is_mail=False)
        return
    for number, line in enumerate(lines, start=1):
        body = line.removeprefix(b"\xef\xbb\xbf").strip()
        if body:
            yield Given(source=f"{source}:{number}", body=body, is_mail=False)
