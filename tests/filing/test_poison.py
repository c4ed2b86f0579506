"""Poison: what kills, stalls or cheats its reader costs itself three attempts and nobody else anything."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import pytest

from allears.filing import stage
from allears.filing.routing import to_all
from allears.filing.stage import Filing
from allears_sdk.complaint import Complaint
from allears_sdk.message import RFC822
from tests.filing.office import JSONL, Office, reader, route_by

Said = list[MutableMapping[str, Any]]


def texts(office: Office) -> list[str]:
    rows = office.desk.rows("SELECT json_extract(body, '$.text') FROM messages ORDER BY id")
    return sorted(row[0] for row in rows)


def raws(office: Office) -> list[tuple[str, int]]:
    """(state, attempts) of each, in order."""
    return [(row[0], row[1]) for row in office.desk.rows("SELECT state, attempts FROM raws ORDER BY id")]


async def test_a_raw_that_kills_its_worker_is_quarantined_after_three(office: Office, said: Said) -> None:
    await office.poison("杯子碎了，要求退款", "exit", "broken cup, refund please")
    await office.settle()
    assert raws(office) == [("read", 0), ("quarantined", 3), ("read", 0)]
    assert texts(office) == ["broken cup, refund please", "杯子碎了，要求退款"]
    (letter,) = await office.letters()
    assert (letter.place, letter.reason) == ("poison", "the worker process died")
    assert len([entry for entry in said if entry["event"] == "worker_lost"]) == 3


async def test_a_raw_that_hangs_is_quarantined_too(office: Office) -> None:
    office.workers._timeout_seconds = 4  # a new worker's start counts too, on a busy machine as well
    await office.poison("hang", "杯子碎了，要求退款")
    await office.settle()
    guilty, innocent = raws(office)
    assert guilty == ("quarantined", 3)
    assert innocent[0] == "read", "what shared a worker with it may have been begun twice"
    (letter,) = await office.letters()
    assert "longer than 4 s" in letter.reason


async def test_a_bad_message_is_quarantined_at_once(office: Office) -> None:
    await office.poison("bad", "杯子碎了，要求退款")
    await office.settle()
    assert [state for state, _ in raws(office)] == ["quarantined", "read"]
    (letter,) = await office.letters()
    assert letter.reason == "字段缺失: no field `text`"


async def test_a_bug_in_a_parser_costs_three_attempts(office: Office, said: Said) -> None:
    await office.poison("bug", "杯子碎了，要求退款")
    await office.settle()
    assert raws(office) == [("quarantined", 3), ("read", 0)]
    assert len([entry for entry in said if entry["event"] == "unreadable"]) == 3


async def test_words_that_cannot_be_stored_harm_no_other(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "SWEEP_SECONDS", 0.1)
    await office.poison("surrogate", "杯子碎了，要求退款")
    await office.settle()
    assert raws(office) == [("quarantined", 3), ("read", 0)]
    assert len(await office.complaints()) == 1


async def test_a_quarantined_raw_is_read_with_todays_code(office: Office) -> None:
    await office.poison("bug")
    await office.settle()
    (letter,) = await office.letters()
    office.stage.readers = {"poison": reader("desk")}
    await office.desk.journal.replay_letter(letter.id)
    await office.settle()
    (again,) = await office.letters()
    assert again.id == letter.id
    assert again.reason == "no reader for 'text/x-poison'", "today's code says so"


async def test_a_large_mail_is_read_from_its_file(office: Office) -> None:
    await office.mail("m-0", "屏幕碎了，要求退款。\n" + "请看照片。\n" * 20_000)
    await office.settle()
    assert office.desk.blobs()
    (event,) = await office.events()
    assert event.record.expectation == ("refund",)


async def test_bytes_that_are_no_mail_do_not_stop_the_channel(office: Office) -> None:
    for number, body in enumerate((b"", b"\xff\xfe\x00\x01" * 99, b"{", b"From:\r\n" * 500)):
        await office.accept("mail", f"junk-{number}", body, RFC822)
    await office.mail("m-0", "屏幕碎了，要求退款")
    await office.settle()
    assert "屏幕碎了，要求退款" in str(texts(office))


async def test_a_conversation_that_cannot_be_filed_is_a_letter_after_three(office: Office, said: Said) -> None:
    def refuse(complaint: Complaint) -> list[Any]:
        if "poison" in complaint.description:
            raise LookupError("no team for this")
        return [JSONL]

    office.stage.router = route_by(refuse)
    await office.say("chat", "c-0", "poison: 耳机左边没有声音", thread="wm-li")
    await office.say("chat", "c-1", "快递还没到，要求退款", thread="wm-han")
    await office.settle(600)
    (filed,) = await office.complaints()
    assert "快递还没到" in filed.record.description
    (letter,) = await office.letters()
    assert "cannot be derived" in letter.reason
    assert "no team for this" in letter.reason
    assert len([entry for entry in said if entry["event"] == "unfilable"]) == 3
    office.stage.router = to_all([JSONL])
    await office.desk.journal.replay_letter(letter.id)
    await office.settle(600)
    assert len(await office.complaints()) == 2


async def test_a_conversation_that_cannot_be_derived_is_a_letter_after_three(
    office: Office, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deriving never raises on any text; a bug in a rule pack may come all the same."""
    sound = Filing._derive_job

    def broken(self: Filing, due: Any) -> Any:
        job = sound(self, due)
        return None if "poison" in job.conversation.messages[0].message.text else job

    monkeypatch.setattr(Filing, "_derive_job", broken)
    await office.say("chat", "c-0", "poison: 耳机左边没有声音", thread="wm-li")
    await office.say("chat", "c-1", "快递还没到，要求退款", thread="wm-han")
    await office.settle(600)
    assert len(await office.complaints()) == 1
    (letter,) = await office.letters()
    assert letter.complaint_id
    assert len([entry for entry in said if entry["event"] == "underivable"]) == 3
