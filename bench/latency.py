"""From IMAP APPEND to the webhook that arrives, beside the server's own notice to an idle client."""

from __future__ import annotations

import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from imapclient import IMAPClient

from bench import mails
from bench.process import Folder, Process
from bench.servers.dovecot import Dovecot
from bench.servers.mailbox import Mailbox, Reachable
from bench.servers.process import free_port

CONFIGURATION = """
[allears]
data_folder = "data"
[public]
port = {public}
[admin]
port = {admin}
[channels.mail]
connector = "email"
host = "127.0.0.1"
port = {imap}
tls = "none"
username = "{user}"
password = "{password}"
[destinations.hook]
sink = "webhook"
url = "http://127.0.0.1:{hook}/"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
allow_private_network = true
"""


class Account:
    """A mailbox at a server."""

    def __init__(self, server: Dovecot, user: str) -> None:
        self.host, self.port, self.user, self.password = server.host, server.port, user, server.password


def measure(count: int) -> dict[str, Any]:
    """Milliseconds; `share` is what we add to the server's own notice, mail by mail."""
    with Folder() as folder, Dovecot() as dovecot:
        return _measure(folder, Account(dovecot, "kefu@example.com"), count)


def _measure(folder: Path, account: Reachable, count: int) -> dict[str, float]:
    arrivals: queue.Queue[float] = queue.Queue()
    hook = _receiver(arrivals)
    public = free_port()
    text = CONFIGURATION.format(
        public=public,
        admin=free_port(),
        imap=account.port,
        user=account.user,
        hook=hook.server_port,
        password=account.password,
    )
    (folder / "allears.toml").write_text(text)
    path = {"PYTHONPATH": str(Path(__file__).parent.parent)}
    with Process(["allears", "run", "--config", "allears.toml"], folder, public, path):
        time.sleep(3)
        rows = _append(account, arrivals, count)
    hook.shutdown()
    ours = [webhook - sent for sent, _, webhook in rows]
    notice = [told - sent for sent, told, _ in rows]
    share = [webhook - told for _, told, webhook in rows]
    return {
        "append_to_webhook_p50_ms": median(ours) * 1000, "append_to_webhook_p99_ms": quantiles(ours, n=100)[98] * 1000,
        "notice_p50_ms": median(notice) * 1000, "share_p50_ms": median(share) * 1000,
        "share_p99_ms": quantiles(share, n=100)[98] * 1000,
    }  # fmt: skip


def _append(account: Reachable, arrivals: queue.Queue[float], count: int) -> list[tuple[float, float, float]]:
    mailbox = Mailbox(account)
    rows = []
    with IMAPClient(account.host, account.port, ssl=False) as idle:
        idle.login(account.user, account.password)
        idle.select_folder("INBOX")
        for mail in mails.make(count, seed=3):
            idle.idle()
            time.sleep(0.05)
            told: list[float] = []
            watcher = threading.Thread(target=lambda told=told: told.append(_notice(idle)))
            watcher.start()
            sent = time.perf_counter()
            mailbox.append(mail)
            webhook = arrivals.get(timeout=20)
            watcher.join(5)
            idle.idle_done()
            rows.append((sent, told[0], webhook))
    mailbox.close()
    return rows


def _notice(idle: IMAPClient) -> float:
    while not any(b"EXISTS" in line for line in idle.idle_check(timeout=5)):
        pass
    return time.perf_counter()


def _receiver(arrivals: queue.Queue[float]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            arrivals.put(time.perf_counter())
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
