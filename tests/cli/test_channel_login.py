"""`allears channels login`: a person, a token server and a mail server, daemon up or down."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from allears.cli.channel_login import Terminal
from allears.cli.session import Session
from allears.context import SystemClock
from allears.journal.opening import lock_folder
from allears.journal.sqlite import open_journal
from tests.connectors.email.lines import Lines

Allears = Callable[..., Any]


@dataclass
class TokenServer:
    """RFC 8628 on loopback: pending once, then `answer`."""

    port: int = 0
    answer: tuple[int, dict[str, Any]] = (200, {"access_token": "at-1", "refresh_token": "rt-1", "expires_in": 3599})
    asked: list[dict[str, list[str]]] = field(default_factory=list)

    def reply(self, path: str, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        if path == "/device":
            page = "https://sso.example.com/device"
            return 200, {"device_code": "dc", "user_code": "WDJB-MJHT", "verification_uri": page, "interval": 0.01}
        self.asked.append(form)
        return self.answer if len(self.asked) > 1 else (400, {"error": "authorization_pending"})


@pytest.fixture
def sso() -> Iterator[TokenServer]:
    sso = TokenServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            status, body = sso.reply(self.path, form)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
            return None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    sso.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield sso
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mail() -> Iterator[Lines]:
    """A mail server in a thread of its own, that takes any token."""
    lines, ready, ends = Lines([b"OK AUTHENTICATE completed."]), threading.Event(), []

    async def serve() -> None:
        end = asyncio.Event()
        ends.append((asyncio.get_running_loop(), end))
        async with await asyncio.start_server(lines.serve, "127.0.0.1", 0) as server:
            lines.port = server.sockets[0].getsockname()[1]
            ready.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(5)
    yield lines
    ends[0][0].call_soon_threadsafe(ends[0][1].set)
    thread.join()


@pytest.fixture
def config(tmp_path: Path, sso: TokenServer, mail: Lines) -> Path:
    path = tmp_path / "allears.toml"
    path.write_text(f"""
[channels.support-mail]
connector = "email"
host = "127.0.0.1"
port = {mail.port}
tls = "none"
username = "kefu@example.com"
[channels.support-mail.oauth]
provider = "custom"
grant = "device"
client_id = "intake"
token_url = "http://127.0.0.1:{sso.port}/token"
device_url = "http://127.0.0.1:{sso.port}/device"

[channels.old-mail]
connector = "email"
preset = "qq"
username = "10001@qq.com"
password = "env:QQ_CODE"

[channels.form]
connector = "form"
""")
    return path


@pytest.fixture
async def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder where the daemon has been: support-mail waits for its log-in."""
    monkeypatch.setenv("QQ_CODE", "abcdefghijklmnop")
    folder = tmp_path / "data"
    journal = await open_journal(folder, SystemClock(), exclusive=True)
    await journal.note_channel("support-mail", connector="email", state="stopped")
    await journal.close()
    return folder


def state(folder: Path) -> str:
    with sqlite3.connect(folder / "journal.sqlite3") as connection:
        (found,) = connection.execute("SELECT state FROM channels WHERE name='support-mail'").fetchone()
    connection.close()
    return str(found)


@pytest.mark.parametrize("daemon", ["up", "down"])
def test_a_person_logs_in_and_the_channel_goes_on(
    allears: Allears, config: Path, folder: Path, sso: TokenServer, mail: Lines, daemon: str
) -> None:
    lock = lock_folder(folder) if daemon == "up" else None
    outcome = allears("channels", "login", "support-mail", "--json")
    if lock:
        lock.release()
    assert outcome.code == 0, outcome.err
    assert outcome.json["result"] == "ok"
    assert outcome.json["account"] == "kefu@example.com at 127.0.0.1"
    assert "https://sso.example.com/device" in outcome.err
    assert "WDJB-MJHT" in outcome.err
    assert state(folder) == "new"
    assert b"at-1" not in (folder / "journal.sqlite3").read_bytes(), "tokens lie encrypted"
    assert "at-1" not in outcome.out + outcome.err
    again = allears("channels", "test", "support-mail", "--json")
    assert again.json[0]["result"] == "ok"
    assert len(sso.asked) == 2, "the daemon and other commands find the token"


@pytest.mark.parametrize(("language", "says"), [("en", "enter the code"), ("zh", "输入代码")])
def test_in_both_languages(allears: Allears, config: Path, folder: Path, language: str, says: str) -> None:
    outcome = allears("channels", "login", "support-mail", "--language", language)
    assert says in outcome.err
    assert "kefu@example.com" in outcome.out


def test_a_log_in_that_is_declined(allears: Allears, config: Path, folder: Path, sso: TokenServer) -> None:
    sso.answer = (400, {"error": "access_denied"})
    outcome = allears("channels", "login", "support-mail", "--json")
    assert outcome.code == 1
    assert outcome.json == {"error": "the log-in was declined", "code": 1}
    assert state(folder) == "stopped"


def test_access_that_does_not_reach_the_mailbox(
    allears: Allears, config: Path, folder: Path, mail: Lines, sso: TokenServer
) -> None:
    mail.answers = [b"NO AUTHENTICATE failed."]
    outcome = allears("channels", "login", "support-mail", "--json")
    assert outcome.code == 1
    assert outcome.json["result"] == "failed"
    assert "allears channels login support-mail" in outcome.json["reason"]


def test_a_channel_that_the_daemon_has_not_noted_yet_is_woken(allears: Allears, config: Path, folder: Path) -> None:
    with sqlite3.connect(folder / "journal.sqlite3") as connection:
        connection.execute("DELETE FROM channels")
    connection.close()
    assert allears("channels", "login", "support-mail").code == 0
    assert state(folder) == "new"


async def test_a_paused_channel_stays_paused(allears: Allears, config: Path, folder: Path) -> None:
    journal = await open_journal(folder, SystemClock(), exclusive=False)
    await journal.note_channel("support-mail", connector="email", state="paused")
    await journal.close()
    outcome = await asyncio.to_thread(allears, "channels", "login", "support-mail")
    assert outcome.code == 0
    assert state(folder) == "paused"


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("suport-mail", 5, 'did you mean "support-mail"'),
        ("form", 2, "needs no log-in"),
        ("old-mail", 3, "nothing to log in to"),
    ],
)
def test_where_there_is_nothing_to_log_in_to(
    allears: Allears, config: Path, folder: Path, name: str, code: int, says: str
) -> None:
    outcome = allears("channels", "login", name)
    assert outcome.code == code
    assert says in outcome.err


def test_before_the_first_run(allears: Allears, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QQ_CODE", "abcdefghijklmnop")
    outcome = allears("channels", "login", "support-mail")
    assert outcome.code == 4
    assert "start `allears run`" in outcome.err
    assert "waits for this log-in" in outcome.err


@pytest.mark.parametrize(
    ("typed", "read"),
    [([b"http://127.0.0.1:1/?code=4%2F0A", b"dQ&state=s\r\n"], "http://127.0.0.1:1/?code=4%2F0AdQ&state=s"), ([], "")],
)
async def test_what_a_person_pastes(monkeypatch: pytest.MonkeyPatch, typed: list[bytes], read: str) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr("sys.stdin", os.fdopen(reading))
    asking = asyncio.create_task(Terminal(Session(language="en")).prompt("(address):"))
    for part in typed:
        await asyncio.sleep(0)
        os.write(writing, part)
    os.close(writing)
    assert await asking == read
    sys.stdin.close()


def test_nobody_can_type(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert asyncio.run(Terminal(Session(language="zh")).prompt("(address):")) == ""
