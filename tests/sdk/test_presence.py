"""Since when a channel hears, and what it missed before."""

from __future__ import annotations

from datetime import timedelta

from allears_sdk.presence import Presence
from allears_sdk.testing.clock import START


def test_across_processes_the_cursor_says_until_when_it_heard() -> None:
    presence = Presence()
    assert not presence.covers(START)
    assert presence.absence(START) is None, "it does not hear yet"
    presence.begin(START + timedelta(hours=1))
    assert not presence.covers(START)
    assert presence.absence(START) == (START, START + timedelta(hours=1))
    assert presence.covers(START + timedelta(hours=2))
    assert presence.absence(START + timedelta(hours=2)) is None


def test_within_one_the_end_of_the_last_connection_is_known() -> None:
    presence = Presence(START)
    presence.end(START + timedelta(minutes=9))
    presence.begin(START + timedelta(minutes=10))
    polled_at = START + timedelta(minutes=5)
    assert not presence.covers(polled_at)
    assert presence.absence(polled_at) == (START + timedelta(minutes=9), START + timedelta(minutes=10))
