"""A mailbox that needs a log-in: the daemon waits for it, goes on by itself, and waits again when it is withdrawn."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from bench.servers.dovecot import Dovecot, Knobs
from tests.conftest import missing
from tests.connectors.email.harness import Mailbox, make_mail
from tests.daemon.house import House

pytestmark = pytest.mark.services

CHANNEL = """
[channels.support-mail]
connector = "email"
host = "127.0.0.1"
port = {mail}
tls = "none"
username = "kefu@example.com"
interval_seconds = 1
[channels.support-mail.oauth]
provider = "custom"
grant = "device"
client_id = "intake"
token_url = "http://127.0.0.1:{sso}/token"
device_url = "http://127.0.0.1:{sso}/device"
"""


@dataclass
class Authority:
    """Device codes, refresh tokens that serve once, and what Dovecot asks about access tokens."""

    port: int = 0
    good: set[str] = field(default_factory=set)
    count: int = 0
    refreshes: int = 0

    def revoke(self) -> None:
        self.good.clear()

    def reply(self, path: str, form: dict[str, list[str]], token: str) -> tuple[int, dict[str, Any]]:
        if path == "/introspect":
            return 200, {"active": token in self.good, "email": "kefu@example.com"}
        if path == "/device":
            page = f"http://127.0.0.1:{self.port}/page"
            return 200, {"device_code": "dc", "user_code": "WDJB", "verification_uri": page, "interval": 0.01}
        (refresh,) = form.get("refresh_token", [""])
        if refresh and refresh not in self.good:
            return 400, {"error": "invalid_grant"}
        self.good.discard(refresh)
        self.refreshes += bool(refresh)
        self.count += 1
        pair = {"access_token": f"access-token-{self.count}", "refresh_token": f"refresh-token-{self.count}"}
        self.good.update(pair.values())
        return 200, pair | {"expires_in": 3599}


@pytest.fixture
def authority() -> Iterator[Authority]:
    authority = Authority()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self._answer(*authority.reply(self.path, form, ""))

        def do_GET(self) -> None:
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            self._answer(*authority.reply(self.path, {}, token))

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    authority.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield authority
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mailbox(authority: Authority, house: House) -> Iterator[Mailbox]:
    if Dovecot.program() is None:
        missing("Dovecot (apt: dovecot-imapd)")
    with Dovecot(Knobs(introspection_url=f"http://127.0.0.1:{authority.port}/introspect")) as server:
        house.configure(CHANNEL.format(mail=server.port, sso=authority.port))
        yield Mailbox(server, user="kefu@example.com")


def test_the_daemon_waits_for_a_log_in_and_goes_on(house: House, mailbox: Mailbox, authority: Authority) -> None:
    mailbox.put(make_mail("屏幕碎了，要求退款"))
    house.start()
    house.until(lambda: "nobody has logged in yet" in house.log, "it says what it waits for")
    shown = json.dumps(house.api("/api/channels"))
    assert "allears channels login support-mail" in shown, "the console says what to do"
    logged_in = house.command("channels", "login", "support-mail", "--json")
    assert logged_in.returncode == 0, logged_in.stdout
    assert house.until_filed(1)[0]["complaint"]["channel"] == "support-mail"
    assert house.stop() == 0

    authority.good = {token for token in authority.good if token.startswith("refresh")}
    mailbox.put(make_mail("第二封：还没退款"))
    house.start()
    house.until_filed(2)
    assert authority.refreshes == 1, "a refused token was renewed, once for polling and listening"
    assert house.stop() == 0

    authority.revoke()
    mailbox.put(make_mail("第三封：再不退款就投诉"))
    house.start()
    house.until(lambda: "access was withdrawn" in house.log, "it says that access was withdrawn")
    again = house.command("channels", "login", "support-mail", "--json")
    assert again.returncode == 0, again.stdout
    house.until_filed(3)
    assert house.stop() == 0
    assert "access-token" not in house.log
    assert "refresh-token" not in house.log
