"""Backup while running, and restore: nothing lost, nothing filed twice."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from allears.journal.copying import back_up, restore
from allears.journal.records import DeliveryState
from allears_sdk.testing import FakeClock
from tests.journal.desk import AMY, FILE, LI, Desk, mail, said


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    return tmp_path / "备份"


async def test_a_copy_made_while_writing_is_whole(desk: Desk, backup: Path, tmp_path: Path) -> None:
    """Every commit goes on meanwhile, the copy ends nevertheless, and every file it names is there."""
    for number in range(30):
        await desk.accept("mail", *[desk.raw(f"old {number} {part}", body=b"x" * 60_000) for part in range(10)])
    done = asyncio.Event()
    kept: list[str] = []

    async def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            large = f"{number}".encode() * 30_000
            await desk.accept("mail", desk.raw(f"new {number}", body=large), desk.raw(f"small {number}"))
            kept.append(f"new {number}")

    writing = asyncio.create_task(write())
    try:
        async with asyncio.timeout(30):
            await desk.journal.backup(backup)
    finally:
        done.set()
        await writing
    assert kept
    copy = tmp_path / "restored"
    await asyncio.to_thread(restore, backup, copy)
    restored = await Desk.open(copy)
    for stored in await restored.take(limit=100_000, max_bytes=1 << 40):
        whole = await restored.journal.raw(stored.id)
        assert whole is not None
        assert whole.raw.body
    keys = [f"old {number} {part}" for number in range(30) for part in range(10)]
    assert await restored.journal.known("mail", keys) == set(keys)
    await restored.close()


async def test_a_backup_needs_a_folder_of_its_own(desk: Desk, backup: Path) -> None:
    await desk.journal.backup(backup)
    with pytest.raises(FileExistsError):
        await desk.journal.backup(backup)


async def test_progress_is_told(desk: Desk, backup: Path) -> None:
    await desk.accept("mail", *[desk.raw(f"{number}", body=b"%d" % number * 70_000) for number in range(3)])
    told: list[tuple[int, int]] = []
    await asyncio.to_thread(back_up, desk.folder, backup, lambda done, total: told.append((done, total)))
    assert told[-1] == (3, 3)
    assert all(0 <= done <= total for done, total in told)


async def test_restore_goes_into_an_empty_folder_only(desk: Desk, backup: Path, tmp_path: Path) -> None:
    await desk.journal.backup(backup)
    with pytest.raises(FileExistsError, match="not empty"):
        restore(backup, desk.folder)
    empty = tmp_path / "empty"
    empty.mkdir()
    restore(backup, empty)
    assert (empty / FILE).exists()


async def test_an_unfinished_backup_is_refused(backup: Path, tmp_path: Path) -> None:
    (backup / "blobs").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="finished"):
        restore(backup, tmp_path / "new")


async def test_a_restore_that_did_not_end_leaves_no_journal_to_run_on(desk: Desk, backup: Path, tmp_path: Path) -> None:
    await desk.accept("mail", desk.raw("1", body=b"x" * 70_000))
    await desk.journal.backup(backup)
    for blob in (backup / "blobs").rglob("?" * 64):
        blob.unlink()
    new = tmp_path / "new"
    with pytest.raises(FileNotFoundError):
        restore(backup, new)
    assert not (new / FILE).exists()


async def test_a_restored_journal_says_so_and_goes_on(desk: Desk, backup: Path, tmp_path: Path) -> None:
    reference = await desk.hear("mail", "1", mail("1", LI))
    await desk.accept("mail", stream="INBOX", cursor={"version": 1, "uid": 7})
    await desk.journal.put_token("channel:mail", "access", b"\x00secret")
    await desk.journal.backup(backup)
    restore(backup, tmp_path / "new")
    new = await Desk.open(tmp_path / "new")
    stamps = await new.journal.stamps()
    assert abs(float(stamps["restored"]) - datetime.now(UTC).timestamp()) < 60
    assert await new.journal.cursor("mail", "INBOX") == {"version": 1, "uid": 7}
    assert await new.journal.token("channel:mail", "access") == b"\x00secret"
    assert (await new.file(reference)).record.id == reference
    await new.close()


async def test_after_a_restore_everything_that_may_have_been_sent_is_looked_up(
    desk: Desk, backup: Path, tmp_path: Path
) -> None:
    for key in ("sent", "sending", "waiting", "letter"):
        await desk.hear("mail", key, mail(key, AMY))
    sent, sending, _, letter = await desk.due()
    await desk.freeze(sent, sending, letter)
    await desk.sent(sent)
    await desk.journal.note_outcomes("jsonl", [desk.outcome(letter, DeliveryState.LETTER, reason="refused")])
    await desk.journal.backup(backup)
    await desk.send_all()
    restore(backup, tmp_path / "new")
    clock = FakeClock(datetime.now(UTC) + timedelta(hours=1))
    new = await Desk.open(tmp_path / "new", clock)
    await new.journal.recover()
    assert [(one.event.id, one.state) for one in await new.due()] == [
        (one.event.id, DeliveryState.DOUBT) for one in (sending, _)
    ]
    (held,) = await new.letters()
    await new.journal.replay_letter(held.id)
    (replayed,) = await new.due()
    assert replayed.payload, "it may have been sent since: the same bytes under the same key"
    await new.close()


async def test_what_is_heard_again_after_a_restore_gets_the_same_ids(desk: Desk, backup: Path, tmp_path: Path) -> None:
    """Said after the backup, filed, and then read in again from the cursor of the backup."""
    await desk.hear("mail", "1", mail("1", posted_at=desk.clock.now()))
    await desk.journal.backup(backup)
    clock = FakeClock(desk.clock.now())

    async def go_on(desk: Desk) -> list[tuple[str, str]]:
        said_at = desk.clock.now()
        desk.clock.advance(60)
        await desk.hear("mail", "2", mail("2", thread=("1",), subject="Re: 屏幕碎了", posted_at=said_at))
        await desk.hear("mail", "3", mail("3", AMY, posted_at=said_at))
        await desk.hear("chat", "4", said("在吗", posted_at=said_at), thread="wm-li")
        due = await desk.due()
        ids = [(one.key, one.event.id) for one in due]
        while due:
            await desk.sent(*due)
            due = await desk.due()
            ids += [(one.key, one.event.id) for one in due]
        return sorted(ids)

    first = await go_on(desk)
    restore(backup, tmp_path / "new")
    new = await Desk.open(tmp_path / "new", clock)
    assert await go_on(new) == first
    doubted = new.rows("SELECT count(*) FROM deliveries WHERE destination='hook' AND state != 'doubt'")
    assert doubted == [(0,)], "all of it was said before the restore"
    await new.close()
