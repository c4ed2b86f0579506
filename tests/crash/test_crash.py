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
from typing import Any

import pytest

from bench.crash import Storm
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
    assert storm.backups or KILLS < 3, "a backup was restored too"


# The checker itself: a test that cannot fail proves nothing


def event(name: str, *messages: str, kind: str = "opened", **texts: str) -> dict[str, Any]:
    """A notice: of mails by their tokens, or of chat messages (whose id has a slash) with their texts."""
    ids = [one if "/" in one else f"<{one}@mail.example.com>~digest" for one in messages]
    said = [{"id": one.replace("_", "/"), "text": text} for one, text in texts.items()]
    return {
        "event": {"id": name, "sequence": 1 if kind == "opened" else 2, "kind": kind, "messages": ids},
        "complaint": {"conversation": said},
    }


@pytest.fixture
def storm(tmp_path: Path) -> Storm:
    """After it: two things were said, both are in either store."""
    storm = Storm(tmp_path, 7, print)
    storm.said = {"tok000001x": "form", "tok000002x": "mail"}
    receive(storm, event("E-1", "tok000001x"), event("E-2", "tok000002x"))
    file(storm, event("E-1", "tok000001x"), event("E-2", "tok000002x"))
    return storm


def receive(storm: Storm, *events: dict[str, Any]) -> None:
    storm.receiver.created = {one["event"]["id"]: json.dumps({"data": one}).encode() for one in events}


def file(storm: Storm, *events: dict[str, Any]) -> None:
    lines = "".join(json.dumps(one) + "\n" for one in events)
    (storm.folder / "filed.jsonl").write_text(lines, encoding="utf-8")


def test_it_is_content_with_what_is_right(storm: Storm) -> None:
    assert storm.faults() == []


@pytest.mark.parametrize("put", [receive, file])
def test_it_sees_what_is_lost(storm: Storm, put: Callable[..., None]) -> None:
    put(storm, event("E-1", "tok000001x"))
    (fault,) = storm.faults()
    assert "tok000002x (mail) is lost" in fault


@pytest.mark.parametrize("put", [receive, file])
def test_it_sees_what_is_in_two_events(storm: Storm, put: Callable[..., None]) -> None:
    put(storm, event("E-1", "tok000001x"), event("E-2", "tok000002x"), event("E-3", "tok000001x"))
    (fault,) = storm.faults()
    assert "tok000001x is in E-1, E-3" in fault


def test_it_sees_a_line_that_is_there_twice(storm: Storm) -> None:
    """The event's id is the same, and it is doubled all the same."""
    file(storm, event("E-1", "tok000001x"), event("E-2", "tok000002x"), event("E-2", "tok000002x"))
    (fault,) = storm.faults()
    assert "jsonl: tok000002x is in E-2, E-2" in fault


def test_it_sees_everything_lost(storm: Storm) -> None:
    (storm.folder / "filed.jsonl").unlink()
    assert len(storm.faults()) == 2


def chat(storm: Storm, *events: dict[str, Any]) -> None:
    """One message said in a chat, and edited once; `events` besides what is right already."""
    storm.said["tok000003x"] = "bot"
    storm.chats.names["5/1"], storm.chats.edits["5/1"] = "tok000003x", "tok000004x"
    right = event("E-1", "tok000001x"), event("E-2", "tok000002x")
    receive(storm, *right, *events)
    file(storm, *right, *events)


def test_it_is_content_with_an_edit_of_its_own(storm: Storm) -> None:
    opened = event("E-3", "5/1", **{"5_1": "退款 tok000003x"})
    chat(storm, opened, event("E-4", "5/1", kind="edited", **{"5_1": "全额退款 tok000004x"}))
    assert storm.faults() == []


def test_it_is_content_with_an_edit_in_the_same_burst(storm: Storm) -> None:
    chat(storm, event("E-3", "5/1", **{"5_1": "全额退款 tok000004x"}))
    assert storm.faults() == []


def test_it_sees_an_edit_that_is_lost(storm: Storm) -> None:
    chat(storm, event("E-3", "5/1", **{"5_1": "退款 tok000003x"}))
    assert storm.faults() == ["the edit tok000004x of 5/1 is lost"]


def test_it_sees_a_chat_message_in_two_openings(storm: Storm) -> None:
    twice = [event(name, "5/1", **{"5_1": "全额退款 tok000004x"}) for name in ("E-3", "E-4")]
    chat(storm, *twice)
    assert all("tok000003x is in E-3, E-4" in fault for fault in storm.faults())
    assert len(storm.faults()) == 2


def test_it_sees_updates_that_nobody_took(storm: Storm) -> None:
    storm.chats.asked.say("还在吗")
    assert storm.faults() == ["1 updates are left for bot"]


def test_it_sees_an_answer_that_changed(storm: Storm) -> None:
    storm.chats.changed.append("2468")
    assert storm.faults() == ["the answer to 2468 changed when it was sent again"]


def test_it_sees_a_payload_that_changed_between_tries() -> None:
    receiver = Receiver(random.Random(1))
    receiver._create("id-1", b'{"a": 1}')
    receiver._create("id-1", b'{"a": 1}')
    assert receiver.changed == []
    receiver._create("id-1", b'{"a": 2}')
    assert receiver.changed == ["id-1"]
