"""Kills at random points lose and double nothing; and the test that says so can fail.

CRASH_KILLS and CRASH_SEED set how many and which; `make crash` does a thousand.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.crash import Storm
from bench.crash_audit import Speech, Telling, make_token
from bench.servers.receiver import Receiver

KILLS = int(os.environ.get("CRASH_KILLS", "6"))
SEED = int(os.environ.get("CRASH_SEED") or time.time())


@pytest.mark.crash
@pytest.mark.timeout(600 + 30 * KILLS)
async def test_kills_lose_and_double_nothing(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    record_property("seed", SEED)
    print(f"repeat with CRASH_SEED={SEED} CRASH_KILLS={KILLS}")
    storm = Storm(tmp_path, SEED, print)
    faults = await storm.run(KILLS)
    assert not faults, f"seed {SEED}:\n" + "\n".join(faults)
    assert KILLS < 6 or {"form", "mail", "deleted", "moved", "bot", "hook", "oa", "kf"} <= set(storm.said.values()), (
        "every channel was heard"
    )
    assert storm.daemon.starts > KILLS
    assert all(storm.filed[store.name] for store in storm.stores), "every store was filed in"
    assert storm.backups or KILLS < 3, "a backup was restored too"


# The checker itself: a test that cannot fail proves nothing

FORM, MAIL, CHAT, EDIT = (make_token(number) for number in range(1, 5))
SPEECH = Speech(said={FORM: "form", MAIL: "mail", CHAT: "bot"}, edits={EDIT: CHAT})


def told(place: str, text: str, *keys: str) -> Telling:
    return Telling(place=place, keys=keys or (f"key of {place}",), text=text)


RIGHT = (told("E-1", f"退款 {FORM}"), told("E-2", f"Refund! {MAIL}"), told("E-3", CHAT), told("E-4", EDIT))


def test_it_is_content_with_what_is_right() -> None:
    assert SPEECH.faults(RIGHT) == []


def test_it_is_content_with_a_message_edited_before_it_was_told() -> None:
    assert SPEECH.faults([*RIGHT[:2], RIGHT[3]]) == []


def test_it_is_content_with_what_was_heard_but_never_answered() -> None:
    assert SPEECH.faults([*RIGHT, told("E-5", make_token(5))]) == []


@pytest.mark.parametrize(
    ("number", "fault"),
    [(0, f"{FORM} (form) is lost"), (1, f"{MAIL} (mail) is lost"), (3, f"{EDIT} is lost, the edit of {CHAT}")],
)
def test_it_sees_what_is_lost(number: int, fault: str) -> None:
    assert SPEECH.faults([*RIGHT[:number], *RIGHT[number + 1 :]]) == [fault]


def test_it_sees_everything_lost() -> None:
    assert len(SPEECH.faults([])) == 3


@pytest.mark.parametrize(("text", "message"), [(FORM, FORM), (MAIL, MAIL), (CHAT, CHAT), (EDIT, CHAT)])
def test_it_sees_what_is_told_again(text: str, message: str) -> None:
    (fault,) = SPEECH.faults([*RIGHT, told("E-5", text)])
    assert fault.startswith(f"{message} is in E-")
    assert fault.endswith(", E-5")


def test_it_sees_a_message_that_is_there_twice_by_its_key() -> None:
    """As an edit of its own it would pass by its words."""
    faults = SPEECH.faults([*RIGHT[:3], told("E-4", CHAT, *RIGHT[2].keys), told("E-5", "", "other")])
    assert "the message key of E-3 is in E-3, E-4" in faults


@pytest.fixture
def storm(tmp_path: Path) -> Storm:
    """After it: one thing was said, every store there is in this test has it."""
    storm = Storm(tmp_path, 7, print)
    storm.stores = [storm.hook, storm.lines]
    storm.said = {FORM: "form"}
    notice = {
        "event": {"id": "E-1", "sequence": 1, "keys": {"ALE:1": "m-1"}},
        "complaint": {"conversation": [{"id": "m-1", "text": f"退款 {FORM}"}]},
    }
    storm.hook.receiver.created["E-1"] = json.dumps({"data": notice}).encode()
    storm.lines.path.write_text(json.dumps(notice) + "\n", encoding="utf-8")
    return storm


async def test_it_is_content_with_a_storm_that_is_over(storm: Storm) -> None:
    assert await storm.faults() == []


async def test_it_names_the_store(storm: Storm) -> None:
    storm.hook.receiver.created.clear()
    assert await storm.faults() == [f"hook: {FORM} (form) is lost"]


async def test_it_sees_a_line_that_is_there_twice(storm: Storm) -> None:
    storm.lines.path.write_bytes(storm.lines.path.read_bytes() * 2)
    assert f"file: {FORM} is in E-1, E-1" in await storm.faults()


async def test_it_looks_for_what_belongs_into_a_store_only(storm: Storm) -> None:
    storm.lines.channels = ("mail",)
    storm.lines.path.unlink()
    assert await storm.faults() == []
    storm.said[MAIL] = "mail"
    assert f"file: {MAIL} (mail) is lost" in await storm.faults()


async def test_it_sees_a_record_that_fell_back_to_older_words(storm: Storm) -> None:
    storm.chats.edits["m-1"], storm.chats.names["m-1"] = EDIT, CHAT
    assert await storm.faults() == [f"the edit {EDIT} of m-1 is lost"]


async def test_it_sees_updates_that_nobody_took(storm: Storm) -> None:
    storm.chats.asked.say("还在吗")
    assert await storm.faults() == ["1 updates are left for bot"]


async def test_it_sees_an_answer_that_changed(storm: Storm) -> None:
    storm.chats.changed.append("2468")
    assert await storm.faults() == ["the answer to 2468 changed when it was sent again"]


def test_it_sees_a_payload_that_changed_between_tries() -> None:
    receiver = Receiver(random.Random(1))
    receiver._create("id-1", b'{"a": 1}')
    receiver._create("id-1", b'{"a": 1}')
    assert receiver.changed == []
    receiver._create("id-1", b'{"a": 2}')
    assert receiver.changed == ["id-1"]
