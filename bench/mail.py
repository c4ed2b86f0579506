"""2,000 mixed mails from Dovecot to filed lines with `\\Seen`, beside an imap-tools loop that only parses."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

from imap_tools import MailBoxUnencrypted

from bench import mails
from bench.process import Folder, Process
from bench.servers.dovecot import Dovecot
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
interval_seconds = 2
[destinations.file]
sink = "jsonl"
path = "{folder}/filed.jsonl"
"""


def measure(count: int) -> dict[str, Any]:
    """Mails a second of both, what was lost or doubled, and the memory of all our processes."""
    with Folder() as folder, Dovecot() as dovecot:
        contents = mails.make(count)
        peer = _peer(dovecot, contents)
        ours = _ours(folder, dovecot, contents)
    size = sum(map(len, contents)) / len(contents)
    return {"mails": count, "mean_bytes": size, "ours": ours, "imap-tools, parsing only": peer}


def _ours(folder: Path, dovecot: Dovecot, contents: list[bytes]) -> dict[str, float]:
    public, user = free_port(), "ours@example.com"
    text = CONFIGURATION.format(
        public=public, admin=free_port(), imap=dovecot.port, user=user, folder=folder, password=dovecot.password
    )
    (folder / "allears.toml").write_text(text)
    maildir = _stage(dovecot, user, contents)
    filed = folder / "filed.jsonl"
    path = {"PYTHONPATH": str(Path(__file__).parent.parent)}
    with Process(["allears", "run", "--config", "allears.toml"], folder, public, path) as process:
        time.sleep(3)  # it idles now, as it does all night
        start = time.perf_counter()
        _arrive(maildir)
        lines, progress = Lines(filed), [(start, 0)]
        while progress[-1][1] < len(contents) and time.perf_counter() - start < 120:
            process.measure()
            time.sleep(0.05)
            progress.append((time.perf_counter(), lines.count()))
        while unseen(dovecot, user) and time.perf_counter() - start < 120:
            time.sleep(0.02)
        took = time.perf_counter() - start
        time.sleep(1)
    lost, doubled = _compare(filed, len(contents))
    return {
        "per_second": len(contents) / took, "seconds": took,
        "sustained_per_second": _sustained(progress), "lost": lost, "doubled": doubled,
        "unseen": unseen(dovecot, user), "peak_mib": process.peak_bytes / 2**20,
    }  # fmt: skip


def _peer(dovecot: Dovecot, contents: list[bytes]) -> dict[str, float]:
    user = "peer@example.com"
    _arrive(_stage(dovecot, user, contents))
    with MailBoxUnencrypted("127.0.0.1", dovecot.port).login(user, dovecot.password) as mailbox:
        start = time.perf_counter()
        seen = 0
        for mail in mailbox.fetch(mark_seen=True, bulk=100):
            seen += bool(mail.subject and mail.from_ and (mail.text or mail.html) is not None)
            [(file.filename, file.size) for file in mail.attachments]
        took = time.perf_counter() - start
    return {"per_second": seen / took, "seconds": took}


def _stage(dovecot: Dovecot, user: str, contents: list[bytes]) -> Path:
    """The user's INBOX, with the mails written aside as a mail server does before it delivers."""
    folder = dovecot.maildir(user)
    owner = folder.parent.stat()
    for name in ("", "tmp", "new", "cur"):
        (folder / name).mkdir(exist_ok=True)
        os.chown(folder / name, owner.st_uid, owner.st_gid)
    for number, content in enumerate(contents):
        path = folder / "tmp" / f"{time.time_ns()}.M{number}.bench"
        path.write_bytes(content)
        os.chown(path, owner.st_uid, owner.st_gid)
    return folder


def _arrive(folder: Path) -> None:
    for path in sorted((folder / "tmp").iterdir()):
        path.rename(folder / "new" / path.name)


def unseen(dovecot: Dovecot, user: str) -> int:
    with MailBoxUnencrypted("127.0.0.1", dovecot.port).login(user, dovecot.password) as mailbox:
        return len(mailbox.uids("UNSEEN"))


def _sustained(progress: list[tuple[float, int]]) -> float:
    """Between the first and the last tenth: without the server's notice, and without waiting for the last one."""
    last = progress[-1][1]
    inner = [(at, count) for at, count in progress if last / 10 <= count <= last * 9 / 10]
    if len(inner) < 2:
        return 0.0
    (began, first), (ended, final) = inner[0], inner[-1]
    return (final - first) / (ended - began)


class Lines:
    """Counts the lines of a growing file, reading each byte once: the watcher must not take the watched one's time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = self._lines = 0

    def count(self) -> int:
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._offset)
                fresh = file.read()
            self._offset += len(fresh)
            self._lines += fresh.count(b"\n")
        return self._lines


def _compare(path: Path, count: int) -> tuple[int, int]:
    text = path.read_text("utf-8")
    found = Counter(re.findall(r'"messages":\["bench-(\d+)@', text))
    lost = sum(str(number) not in found for number in range(count))
    return lost, sum(times > 1 for times in found.values())
