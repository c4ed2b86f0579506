"""`allears forget`: shows first, erases when told to, lists what others keep; the daemon may be up."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from allears.context import SystemClock
from allears.journal.opening import lock_folder
from allears.journal.records import DueDelivery
from tests.journal.desk import LI, Desk, mail
from tests.journal.test_forgetting import age_files, li, traces

Allears = Callable[..., Any]


@pytest.fixture
async def kept(tmp_path: Path) -> Path:
    """A data folder with two complaints of Li's, one of them filed, and one of Amy's."""
    desk = await Desk.open(tmp_path / "data")
    await desk.hear("mail", "k1", li("1"))
    await desk.send_all("jsonl")
    await desk.hear("mail", "k2", li("2"))
    await desk.hear("mail", "k3", mail("amy", "amy@example.com"))
    await desk.close()
    return desk.folder


@pytest.fixture
def daemon(kept: Path) -> FileLock:
    """Somebody who holds the folder, as a running daemon does."""
    return lock_folder(kept)


def references(text: str) -> set[str]:
    return set(re.findall(r"ALE-\w{4}-\w{4}-\w{4}(?!-)", text))


def test_it_only_shows_until_told(allears: Allears, kept: Path) -> None:
    before = (kept / "journal.sqlite3").read_bytes()
    for arguments in ((LI,), (LI, "--dry-run")):
        shown = allears("forget", *arguments)
        assert shown.code == 0
        assert len(references(shown.out)) == 2
        assert "nothing was erased; with --yes it is" in shown.out
        assert "jsonl        ALE-" in shown.out, "the ticket that is to be erased there"
        assert "backups made before keep a copy" in shown.out
    assert (kept / "journal.sqlite3").read_bytes() == before


def test_it_erases_when_told_and_leaves_an_audit(allears: Allears, kept: Path) -> None:
    shown = allears("forget", LI, "--json").json
    assert shown["erased"] is False
    assert shown["sources"] == {"mail": 2}
    done = allears("forget", LI, "--yes", "--json").json
    assert (done["erased"], done["left"], done["compact"]) == (True, 0, True)
    assert (done["conversations"], done["messages"], done["cancelled"]) == (2, 2, 3)
    assert done["tickets"] == shown["tickets"]
    assert traces(kept) == []
    (audit,) = allears("forget", "--json").json
    assert audit["tickets"] == [{"destination": one["destination"], "ticket": one["ticket"]} for one in done["tickets"]]
    assert audit["finished_at"]
    assert audit["by"]
    assert "li.lei" not in json.dumps(audit)
    assert "FINISHED" in allears("forget").out
    assert allears("forget", LI).code == 5
    assert allears("forget", "amy@example.com").code == 0, "nobody else is touched"


def test_with_the_daemon_up(allears: Allears, kept: Path, daemon: FileLock) -> None:
    assert allears("forget", LI, "--yes", "--json").json["left"] == 0
    assert traces(kept) == []
    assert allears("status", "--json").json["to_forget"] == 0
    daemon.release()


def test_by_reference_and_with_exceptions(allears: Allears, kept: Path) -> None:
    (first, second) = [one["reference"] for one in allears("forget", LI, "--json").json["conversations"]]
    by_reference = allears("forget", first.lower(), "--json").json
    assert {one["reference"] for one in by_reference["conversations"]} == {first, second}, "whoever opened it"
    done = allears("forget", LI, "--except", second, "--yes", "--json").json
    assert done["messages"] == 1
    (left,) = allears("forget", LI, "--json").json["conversations"]
    assert left["reference"] == second


def test_nobody_and_nothing(allears: Allears, kept: Path, tmp_path: Path) -> None:
    nobody = allears("forget", "13900000000")
    assert nobody.code == 5
    assert "nothing is kept of 13900000000" in nobody.err
    assert allears("forget", " ").code == 2
    assert allears("forget").out.strip() == "nobody has been forgotten yet"
    nowhere = allears("forget", LI, env={"ALLEARS_DATA_FOLDER": str(tmp_path / "empty")})
    assert nowhere.code == 4


@pytest.mark.parametrize("language", ["en", "zh"])
def test_in_both_languages(allears: Allears, kept: Path, language: str) -> None:
    words = {"en": "tickets, to be erased there by you", "zh": "以下工单请自行在工单系统中删除"}
    shown = allears("forget", LI, "--language", language)
    assert words[language] in shown.out


def test_what_is_on_its_way_has_to_wait(allears: Allears, tmp_path: Path) -> None:
    reference, due = asyncio.run(sending(tmp_path / "data"))
    shown = allears("forget", LI, "--yes")
    assert f"a delivery of {reference} is on its way" in shown.out
    assert "1 things have to wait" in shown.out
    assert allears("status", "--json").json["to_forget"] == 1
    assert "still to be erased at a customer's wish: 1" in allears("status").out
    asyncio.run(answered(tmp_path / "data", due))
    (audit,) = allears("forget", "--yes", "--json").json
    assert (audit["left"], audit["compact"]) == (0, True)
    assert [one["destination"] for one in audit["tickets"]] == ["hook"]
    assert traces(tmp_path / "data") == []


async def sending(folder: Path) -> tuple[str, DueDelivery]:
    desk = await Desk.open(folder)
    reference = await desk.hear("mail", "k1", li("1"))
    (due,) = await desk.due("hook")
    await desk.freeze(due)
    await desk.close()
    return reference, due


async def answered(folder: Path, due: DueDelivery) -> None:
    desk = await Desk.open(folder)
    await desk.sent(due, destination="hook")
    await desk.close()


async def test_progress_is_shown(allears: Allears, tmp_path: Path) -> None:
    desk = await Desk.open(tmp_path / "data")
    await desk.accept("review", *(desk.raw(f"k{n}", li(str(n))) for n in range(900)))
    await desk.settle()
    await desk.close()
    age_files(desk.folder)
    shown = allears("forget", LI, "--yes", "--progress")
    assert re.search(r"forget: \d+ of \d+", shown.err)
    assert traces(desk.folder) == []


def test_the_clock_is_the_audit_s(allears: Allears, kept: Path) -> None:
    before = SystemClock().now().replace(microsecond=0)
    allears("forget", LI, "--yes")
    (audit,) = allears("forget", "--json").json
    assert before <= datetime.fromisoformat(audit["begun_at"]).astimezone(UTC)
