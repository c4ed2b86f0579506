"""The real daemon, killed at the moments that matter to POP3, and started again."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.connectors.pop3.maildrop import DROP, PASSWORD, USER, Maildrop, make_mail
from tests.daemon.house import House

CHANNEL = """
[channels.old-mail]
connector = "pop3"
host = "127.0.0.1"
port = {port}
tls = "none"
username = "{user}"
password = "{password}"
after = "delete"
interval_seconds = 1
"""
COUNT = 6


@pytest.fixture
async def house(tmp_path: Path, maildrop: Maildrop) -> AsyncIterator[House]:
    house = House(tmp_path)
    house.configure(CHANNEL.format(port=maildrop.port, user=USER, password=PASSWORD))
    yield house
    await asyncio.to_thread(house.clear)


@pytest.mark.parametrize(
    ("command", "is_done"),
    [(b"RETR 3", False), (b"DELE 1", False), (b"QUIT", False), (b"QUIT", True)],
    ids=["reading", "stored-not-marked", "marked-not-deleted", "deleted-not-told"],
)
async def test_killed_and_started_again(house: House, maildrop: Maildrop, command: bytes, is_done: bool) -> None:
    """`is_done`: the server still carries out the command at which the daemon dies."""
    deaths: list[bytes] = []

    def kill_at(line: bytes) -> bytes | None:
        is_last_word = line == command and (command != b"QUIT" or b"DELE 1" in maildrop.seen)
        if deaths or not is_last_word:
            return None
        deaths.append(line)
        house.signal(signal.SIGKILL)
        return None if is_done else DROP

    maildrop.spy = kill_at
    maildrop.put(*(make_mail(f"第{number}单：屏幕碎了，要求退款。") for number in range(COUNT)))
    await asyncio.to_thread(house.start)
    await asyncio.to_thread(house.wait)
    assert deaths == [command]
    assert len(maildrop.mails) == (0 if (command, is_done) == (b"QUIT", True) else COUNT)
    await asyncio.to_thread(house.start)
    await asyncio.to_thread(house.until_filed, COUNT)
    await asyncio.to_thread(house.until, lambda: not maildrop.mails, "the maildrop is empty")
    await asyncio.to_thread(house.stop)
    filed = Counter(line["complaint"]["description"] for line in house.filed())
    assert sorted(filed.values()) == [1] * COUNT
