"""What an admin may say about a maildrop, and what is refused before anything is tried."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from allears_sdk.errors import ConfigError
from connectors.pop3 import Pop3Settings
from connectors.pop3.cursor import MAX_LOST, Reading, load, with_lost
from connectors.pop3.mail import arrived_at, written_at

LOGIN = {"username": "kefu@example.com", "password": "kefu-Pa55-word"}


@pytest.mark.parametrize(
    ("given", "host", "port"),
    [
        ({"host": "pop.example.com"}, "pop.example.com", 995),
        ({"host": "pop.example.com", "tls": "starttls"}, "pop.example.com", 110),
        ({"host": "pop.example.com", "port": 1995}, "pop.example.com", 1995),
        ({"host": "127.0.0.1", "tls": "none"}, "127.0.0.1", 110),
        ({"host": "10.0.0.7", "tls": "none", "allow_plain": True}, "10.0.0.7", 110),
        ({"preset": "qq"}, "pop.qq.com", 995),
        ({"preset": 163}, "pop.163.com", 995),
        ({"preset": "126", "host": "relay.example.com"}, "relay.example.com", 995),
    ],
)
def test_where_the_server_is(given: dict[str, Any], host: str, port: int) -> None:
    endpoint = Pop3Settings.model_validate(LOGIN | given).endpoint
    assert (endpoint.host, endpoint.port) == (host, port)


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"host": "pop.example.com", "tls": "none"},
        {"host": "pop.example.com", "keep_days": 3},
        {"host": "pop.example.com", "after": "seen"},
        {"host": "pop.example.com", "password": "a\r\nDELE 1"},
        {"host": "pop.example.com", "username": "a\nb"},
        {"preset": "hotmail"},
    ],
)
def test_settings_that_cannot_work_are_refused(fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Pop3Settings"):
        Pop3Settings.model_validate(LOGIN | fault)


def test_a_cursor_survives_its_way_through_json() -> None:
    reading = Reading(since=datetime(2026, 11, 1, tzinfo=UTC), begun=True, lost=("0123456789abcdef",))
    assert load(json.loads(json.dumps(reading.dump()))) == reading
    assert load({"version": 1, "begun": False}) == Reading(since=None)


@pytest.mark.parametrize(
    "cursor",
    [{"version": 2, "begun": True}, {"begun": True}, {"version": 1}, {"version": 1, "begun": 1, "since": "昨天"}],
)
def test_a_cursor_that_makes_no_sense_is_told(cursor: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        load(cursor)


def test_what_was_given_up_is_remembered_within_bounds() -> None:
    lost: tuple[str, ...] = ()
    for number in range(MAX_LOST + 20):
        lost = with_lost(lost, [f"{number:064}"[::-1]])
    assert len(lost) == MAX_LOST
    assert with_lost(lost, [f"{MAX_LOST + 19:064}"[::-1]]) == lost


@pytest.mark.parametrize(
    ("header", "arrived"),
    [
        (b"Received: by b; Sat, 21 Nov 2026 08:00:00 +0800\r\nReceived: by a; Fri, 20 Nov 2026 08:00:00 +0800\r\n", 21),
        (b"Received: from mx\r\n\tby b with ESMTPS id 7;\r\n\tSat, 21 Nov 2026 08:00:00 +0800 (CST)\r\n\r\n", 21),
        (b"RECEIVED: x; 21 Nov 2026 00:00:00 -0000\r\n", 21),
        (b"Received: from mx by b\r\nDate: Sat, 21 Nov 2026 08:00:00 +0800\r\n", None),
        (b"Received: by b; yesterday\r\n", None),
        (b"Received: by b; Sat, 21 Nov 0000 99:00:00 +9999\r\n", None),
        (b"Subject: \xb2\xbb\r\n\xff\xff", None),
        (b"", None),
    ],
)
def test_when_a_mail_arrived_is_what_the_last_server_says(header: bytes, arrived: int | None) -> None:
    at = arrived_at(header)
    assert (at.day if at else None) == arrived


def test_when_it_was_written_is_what_its_author_says() -> None:
    assert written_at(b"Date: Sat, 21 Nov 2026 08:00:00 +0800\r\n") == datetime(2026, 11, 21, tzinfo=UTC)
    assert written_at(b"Date: soon\r\n") is None
