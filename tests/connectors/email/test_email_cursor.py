"""The arithmetic of UIDs: nothing forgotten, nothing read twice, in whatever order pages are taken."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allears_sdk.errors import ConfigError
from connectors.email.cursor import Reading, begun, load, message_set, spans

SINCE = datetime(2026, 11, 1, tzinfo=UTC)


def todo(reading: Reading) -> set[int]:
    return {uid for first, last in reading.todo for uid in range(first, last + 1)}


@given(
    start=st.integers(0, 60),
    steps=st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.integers(1, 12)), max_size=25),
)
def test_every_uid_is_read_exactly_once(start: int, steps: list[tuple[int, bool, int]]) -> None:
    reading = begun(uid_validity=7, top=start, since=SINCE, relist=False)
    top, read = start, list[int]()
    for arrived, newest, limit in [*steps, *[(0, False, 50)] * 200]:
        top += arrived
        reading = load(json.loads(json.dumps(reading.grown(top).dump())))  # as after a crash
        window = reading.window(newest=newest, width=10)
        if window is None:
            continue
        uids = list(range(window[0], window[1] + 1))
        page = uids[-limit:] if newest else uids[:limit]
        read += page
        reading = reading.without(page[0], page[-1])
        assert not todo(reading) & set(read)
        assert todo(reading) | set(read) == set(range(1, top + 1))
    assert sorted(read) == list(range(1, top + 1))


@given(uids=st.lists(st.integers(1, 200), unique=True))
def test_message_set_names_the_same_uids(uids: list[int]) -> None:
    assert {uid for first, last in spans(uids) for uid in range(first, last + 1)} == set(uids)
    named = [part.split(":") for part in message_set(uids).split(",") if part]
    assert sum(int(part[-1]) - int(part[0]) + 1 for part in named) == len(uids)


def test_a_window_never_mixes_old_and_new_mails() -> None:
    reading = begun(uid_validity=7, top=100, since=SINCE, relist=False).grown(140)
    assert reading.window(newest=True, width=1000) == (101, 140)
    assert reading.window(newest=False, width=1000) == (1, 100)
    assert reading.window(newest=False, width=30) == (1, 30)


def test_a_cursor_is_readable_json_and_stays_small() -> None:
    reading = begun(uid_validity=1795329199, top=0, since=SINCE, relist=False).grown(9000).without(1, 9000)
    assert reading.dump() == {
        "version": 1,
        "uidvalidity": 1795329199,
        "next_uid": 9001,
        "since": "2026-11-01T00:00:00+00:00",
    }


def test_a_cursor_of_the_simplest_shape_is_read() -> None:
    reading = load({"version": 1, "uidvalidity": 5, "next_uid": 30})
    assert (reading.next_uid, reading.todo, reading.since) == (30, (), None)


@pytest.mark.parametrize(
    "cursor",
    [
        {"version": 2, "uidvalidity": 1, "next_uid": 1},
        {"uidvalidity": 1, "next_uid": 1},
        {"version": 1, "next_uid": 1},
        {"version": 1, "uidvalidity": 1, "next_uid": "soon"},
        {"version": 1, "uidvalidity": 1, "next_uid": 1, "todo": [[1]]},
        {"version": 1, "uidvalidity": 1, "next_uid": 1, "since": "昨天"},
    ],
)
def test_a_cursor_that_makes_no_sense_is_refused(cursor: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        load(cursor)


def test_an_edited_cursor_never_skips_what_it_still_lists() -> None:
    reading = load({"version": 1, "uidvalidity": 1, "next_uid": 5, "todo": [[8, 9], [3, 4], [9, 12], [7, 6]]})
    assert reading.todo == ((3, 4), (8, 12))
    assert reading.next_uid == 13
