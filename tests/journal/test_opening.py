"""Opening a journal: one daemon, commands beside it, versions, and files that cannot be trusted."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from allears.journal.errors import JournalBroken, JournalInUse, JournalUnavailable
from allears.journal.records import DeliveryState
from allears.journal.sqlite import open_journal
from allears_sdk.testing import FakeClock
from tests.journal.desk import AMY, FILE, Desk, mail


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "数据"


def damage(folder: Path) -> None:
    """Overwrite where the rows are, as a dying disk might."""
    path = folder / FILE
    content = bytearray(path.read_bytes())
    content[60 * 4096 :] = b"\x5a" * (len(content) - 60 * 4096)
    path.write_bytes(content)


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def remove(folder: Path) -> list[str]:
    """Take the journal's files away; their names."""
    paths = sorted(folder.glob(f"{FILE}*"))
    for path in paths:
        path.unlink()
    return [path.name for path in paths]


async def fill(folder: Path, times: int = 60) -> None:
    desk = await Desk.open(folder)
    for number in range(times):
        await desk.accept("mail", desk.raw(f"{number}", mail(f"{number}", text="屏幕碎了" * 500)))
    await desk.settle()
    await desk.close()


async def test_one_daemon_per_data_folder(folder: Path) -> None:
    desk = await Desk.open(folder)
    with pytest.raises(JournalInUse, match="stop it"):
        await Desk.open(folder)
    await desk.accept("mail", desk.raw("1"))
    await desk.close()
    await (await Desk.open(folder)).close()


async def test_commands_work_beside_a_daemon_and_are_noticed(folder: Path) -> None:
    daemon = await Desk.open(folder)
    await daemon.accept("mail", daemon.raw("1", quarantine="too large"))
    before = await daemon.journal.foreign_changes()
    await daemon.accept("mail", daemon.raw("2"))
    assert await daemon.journal.foreign_changes() == before, "its own writing is not foreign"
    command = await Desk.open(folder, daemon.clock, exclusive=False)
    (letter,) = await command.letters()
    await command.journal.replay_letter(letter.id)
    await command.close()
    assert await daemon.journal.foreign_changes() != before
    assert [stored.raw.key for stored in await daemon.take()] == ["1", "2"]
    await daemon.close()


async def test_a_command_that_opens_first_is_no_start(folder: Path) -> None:
    await (await Desk.open(folder, exclusive=False)).close()
    desk = await Desk.open(folder)
    stamps = await desk.journal.stamps()
    assert (stamps["boots"], "restored" in stamps) == ("1", False)
    await desk.close()


async def test_daemon_and_commands_may_all_be_first(folder: Path) -> None:
    """A fresh folder, opened by several at once: one makes the tables, nobody fails."""

    def open_alone() -> None:
        async def visit() -> None:
            await (await Desk.open(folder, exclusive=False)).close()

        asyncio.run(visit())

    await asyncio.gather(*(asyncio.to_thread(open_alone) for _ in range(4)))


async def test_a_newer_journal_is_refused_and_left_alone(folder: Path) -> None:
    await fill(folder, 1)
    with closing(sqlite3.connect(folder / FILE)) as sql:
        version = sql.execute("PRAGMA user_version").fetchone()[0]
        sql.execute("PRAGMA user_version = 900")
    with pytest.raises(JournalBroken, match="use the newer allears"):
        await Desk.open(folder)
    with closing(sqlite3.connect(folder / FILE)) as sql:
        sql.execute(f"PRAGMA user_version = {version}")
    desk = await Desk.open(folder)
    assert (await desk.journal.stamps())["boots"] == "2"
    await desk.close()


async def test_a_second_daemon_touches_nothing(folder: Path) -> None:
    """Not even a newer one that would bring the tables up to its version."""
    desk = await Desk.open(folder)
    stamps = await desk.journal.stamps()
    with closing(sqlite3.connect(folder / FILE)) as sql:
        sql.execute("PRAGMA user_version = 900")
    with pytest.raises(JournalInUse):
        await Desk.open(folder)
    assert await desk.journal.stamps() == stamps
    await desk.close()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be read as one" * 100, b"\0" * 8192])
async def test_a_file_that_is_no_journal_is_broken(folder: Path, content: bytes) -> None:
    write(folder / FILE, content)
    with pytest.raises(JournalBroken):
        await Desk.open(folder)
    assert (folder / FILE).read_bytes() == content, "nothing is repaired silently"


async def test_a_folder_that_cannot_be_made_is_unavailable(folder: Path) -> None:
    write(folder, b"a file")
    with pytest.raises(JournalUnavailable):
        await Desk.open(folder)


async def test_damage_met_while_writing_ends_the_process(folder: Path) -> None:
    await fill(folder)
    damage(folder)
    broken: list[str] = []
    journal = await open_journal(folder, FakeClock(), exclusive=False, on_broken=broken.append)
    desk = Desk(journal, folder, FakeClock())
    with pytest.raises(JournalBroken, match="restore a backup"):
        await desk.accept("mail", desk.raw("new"))
    assert broken
    await desk.close()


async def test_damage_met_while_reading_ends_the_process_too(folder: Path) -> None:
    await fill(folder)
    damage(folder)
    broken: list[str] = []
    journal = await open_journal(folder, FakeClock(), exclusive=False, on_broken=broken.append)
    with pytest.raises(JournalBroken, match="restore a backup"):
        await journal.raw(59)
    assert broken
    await journal.close()


async def test_a_full_disk_refuses_every_batch_of_the_group_and_blobs_too(folder: Path) -> None:
    desk = await Desk.open(folder)
    await desk.accept("mail", desk.raw("kept"), stream="INBOX", cursor={"version": 1, "uid": 1})
    writer = desk.journal._writer  # type: ignore[attr-defined]  # a full disk, without filling one
    await writer.submit(lambda sql: sql.execute("PRAGMA max_page_count = 1").fetchone())
    body = b"x" * 60_000
    raws = [desk.raw(f"{number}", body=body) for number in range(9)]
    accepts = [desk.accept("mail", raw, stream="INBOX", cursor={"version": 1, "uid": 9}) for raw in raws]
    results = await asyncio.gather(*accepts, return_exceptions=True)
    assert {type(result) for result in results} == {JournalUnavailable}
    assert await desk.journal.known("mail", ["kept", *map(str, range(9))]) == {"kept"}
    assert await desk.journal.cursor("mail", "INBOX") == {"version": 1, "uid": 1}
    assert not desk.broken
    await writer.submit(lambda sql: sql.execute("PRAGMA max_page_count = 1000000").fetchone())
    await desk.journal.ready()
    (accepted,) = await desk.accept("mail", desk.raw("1", body=body))
    assert accepted.is_new
    await desk.close()


async def test_after_a_stop_the_file_alone_is_the_journal(folder: Path) -> None:
    await fill(folder, 3)
    assert remove(folder) == [FILE]


# Roll-backs and restores


async def deliver_some(desk: Desk) -> Sequence[str]:
    """Three complaints: one sent, one on its way, one not begun."""
    for key, who in (("sent", AMY), ("sending", AMY), ("waiting", AMY)):
        await desk.hear("mail", key, mail(key, who))
    sent, sending, _ = await desk.due()
    await desk.freeze(sent, sending)
    await desk.sent(sent)
    return [sent.event.id]


async def test_starts_are_counted_and_a_quiet_one_is_no_restore(folder: Path) -> None:
    for boots in ("1", "2", "3"):
        desk = await Desk.open(folder)
        stamps = await desk.journal.stamps()
        assert (stamps["boots"], stamps.get("restored")) == (boots, None)
        await desk.close()


async def test_an_older_file_put_back_silently_counts_as_a_restore(folder: Path, tmp_path: Path) -> None:
    desk = await Desk.open(folder)
    await desk.accept("mail", desk.raw("1"))
    await desk.close()
    shutil.copy2(folder / FILE, tmp_path / "older")
    desk = await Desk.open(folder)
    await desk.accept("mail", desk.raw("2"))
    await desk.close()
    shutil.copy2(tmp_path / "older", folder / FILE)
    desk = await Desk.open(folder, desk.clock)
    stamps = await desk.journal.stamps()
    assert float(stamps["restored"]) == desk.clock.now().timestamp()
    assert int(stamps["boots"]) == 3, "counted on from the higher"
    restored = stamps["restored"]
    desk.clock.advance(3600)
    await desk.reopen()
    assert (await desk.journal.stamps())["restored"] == restored, "once"
    await desk.close()


async def test_a_journal_that_vanished_counts_as_a_restore(folder: Path) -> None:
    await fill(folder, 1)
    remove(folder)
    desk = await Desk.open(folder)
    assert "restored" in await desk.journal.stamps()
    await desk.close()


async def test_after_a_roll_back_all_that_was_not_sent_is_in_doubt(folder: Path, tmp_path: Path) -> None:
    """It may have been sent between the copy and the roll-back: it is looked up, or held, never just sent."""
    desk = await Desk.open(folder)
    await deliver_some(desk)
    await desk.close()
    shutil.copy2(folder / FILE, tmp_path / "older")
    await (await Desk.open(folder)).close()
    shutil.copy2(tmp_path / "older", folder / FILE)
    desk = await Desk.open(folder, desk.clock)
    await desk.journal.recover()
    desk.clock.advance(3600)
    due = await desk.due()
    assert [one.state for one in due] == [DeliveryState.DOUBT] * 2
    await desk.close()
