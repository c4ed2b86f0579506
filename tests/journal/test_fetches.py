"""Rows of what is still at a platform: leased, copied, renamed, and there in journals that are older than they."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

from allears.journal.copying import restore
from allears.journal.records import DueFetch
from allears_sdk import codec
from allears_sdk.connector import Media
from allears_sdk.message import MESSAGE_JSON, Attachment, Author, Message, Ref
from tests.journal.desk import FILE, Desk

PHOTO = b"\xff\xd8\xff\xe0 broken"


def with_files(desk: Desk, *names: str) -> Message:
    soon = desk.clock.now() + timedelta(days=3)
    found = [Attachment(name=name, ref=Ref(locator={"id": name}, fetch_before=soon)) for name in names]
    return Message(text="屏幕碎了", author=Author(id="wm-li"), attachments=tuple(found))


async def hear(desk: Desk, key: str, *names: str, channel: str = "chat") -> None:
    await desk.accept(channel, desk.raw(key, with_files(desk, *names)))
    await desk.read_waiting()


async def due(desk: Desk, *channels: str, each: int = 10) -> list[DueFetch]:
    running = set(channels or ("chat",))
    return list(await desk.journal.fetches.due(desk.clock.now(), running, each, 100))


async def test_what_is_leased_is_given_to_nobody_else_until_it_ends(desk: Desk) -> None:
    await hear(desk, "1", "a", "b", "c")
    taken = await asyncio.gather(*(due(desk, each=3) for _ in range(3)))
    assert sorted(one.ref.locator["id"] for part in taken for one in part) == ["a", "b", "c"]
    first, second, third = (one for part in taken for one in part)
    await desk.journal.fetches.release([first.id])
    await desk.journal.fetches.put_off(second.id, "HTTP 502", desk.clock.now() + timedelta(seconds=10))
    await desk.journal.fetches.skip(third.id, "gone")
    assert [one.id for one in await due(desk)] == [first.id]
    desk.clock.advance(11)
    (again,) = await due(desk)
    assert (again.id, again.attempts, again.reason) == (second.id, 1, "HTTP 502")
    await desk.reopen()
    assert {one.id for one in await due(desk)} == {first.id, second.id}, "leases end with the process"


async def test_what_ends_twice_ends_as_it_ended_first(desk: Desk) -> None:
    """A fetch that was given up for dead comes back after all."""
    await hear(desk, "1", "a")
    (one,) = await due(desk)
    await desk.journal.fetches.keep(one.id, Media(content=PHOTO))
    await desk.journal.fetches.skip(one.id, "no answer")
    await desk.journal.fetches.keep(one.id, Media(content=b"another"))
    await desk.settle()
    reference = desk.reference_of("chat", "1")
    (file,) = (await desk.file(reference)).messages[0].message.attachments
    assert file.size == len(PHOTO)
    assert await desk.journal.fetches.content(reference, file.sha256) == PHOTO


async def test_channels_take_turns(desk: Desk) -> None:
    await hear(desk, "1", *(f"a-{number}" for number in range(20)), channel="chat")
    await hear(desk, "2", "b-0", channel="review")
    fetches = desk.journal.fetches
    found = await fetches.due(desk.clock.now(), {"chat", "review"}, 3, 2)
    assert {one.channel for one in found} == {"chat", "review"}
    assert len(await fetches.due(desk.clock.now(), {"chat", "review"}, 3, 100)) == 2, "three at a time in a channel"


async def test_a_rename_moves_what_waits(desk: Desk) -> None:
    await hear(desk, "1", "a")
    await desk.journal.note_channel("chat", connector="scripted", state="running")
    await desk.journal.rename_channel("chat", "kf")
    assert [one.channel for one in await due(desk, "kf")] == ["kf"]
    assert [count.channel for count in await desk.journal.fetches.counts()] == ["kf"]


async def test_a_backup_holds_what_was_fetched(desk: Desk, tmp_path: Path) -> None:
    await hear(desk, "1", "a", "b")
    first, _ = await due(desk)
    await desk.journal.fetches.keep(first.id, Media(content=PHOTO))
    await desk.settle()
    reference = desk.reference_of("chat", "1")
    sha256 = (await desk.file(reference)).messages[0].message.attachments[0].sha256
    await desk.journal.backup(tmp_path / "backup")
    await asyncio.to_thread(restore, tmp_path / "backup", tmp_path / "copy")
    copy = await Desk.open(tmp_path / "copy", desk.clock)
    assert await copy.journal.fetches.content(reference, sha256) == PHOTO
    assert [one.ref.locator["id"] for one in await due(copy)] == ["b"]
    await copy.close()


async def test_a_journal_from_before_there_were_fetches_goes_on(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    scripts = sorted((files("allears.journal") / "migrations").iterdir(), key=lambda entry: entry.name)
    body = codec.encode(Message(text="屏幕碎了", author=Author(id="wm-li"), thread=("wm-li",)))
    with closing(sqlite3.connect(tmp_path / "old" / FILE)) as sql, sql:
        for script in scripts[:3]:
            sql.executescript(script.read_text("utf-8"))
        sql.execute(
            "INSERT INTO raws (channel, raw_key, ordinal, digest, state, media_type, received_at, stored_at, size,"
            " body) VALUES ('chat', '1', 1, '', 'waiting', ?, 0, 0, ?, ?)",
            (MESSAGE_JSON, len(body), body),
        )
        sql.execute("PRAGMA user_version = 3")
    desk = await Desk.open(tmp_path / "old")
    await hear(desk, "2", "a")
    (one,) = await due(desk)
    await desk.journal.fetches.keep(one.id, Media(content=PHOTO))
    await desk.settle()
    assert len(await desk.events(desk.reference_of("chat", "1"))) == 1
    assert len(await desk.events(desk.reference_of("chat", "2"))) == 1
    await desk.close()
