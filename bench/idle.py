"""Many mailboxes of one daemon, all in IDLE: start, memory, CPU while nothing happens, how soon a mail is filed, and
how soon all are back after the server was away."""

from __future__ import annotations

import random
import re
import selectors
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil
from imapclient import IMAPClient

from bench.process import Folder, Process
from bench.servers.dovecot import Dovecot, Knobs
from bench.servers.mailbox import Mailbox
from bench.servers.process import free_port

HEAD = """
[allears]
data_folder = "data"
stop_seconds = 10
[public]
port = {public}
[admin]
port = {admin}
[destinations.file]
sink = "jsonl"
path = "{folder}/filed.jsonl"
"""
CHANNEL = """
[channels.mail-{number}]
connector = "email"
host = "127.0.0.1"
port = {port}
tls = "none"
username = "user{number}@example.com"
password = "{password}"
"""
MAIL = (
    "Message-ID: <idle-{number}@mail.example.com>\r\nFrom: 李雷 <lilei{number}@example.com>\r\n"
    "Subject: 投诉 {number}\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\n空气炸锅插上电不加热，要求退款。\r\n"
)
OUTAGE_SECONDS = 5
PACE_SECONDS = 0.1
"""Between two mails: so that each shows its own delay."""


def measure(mailboxes: int, mails: int = 100, still_seconds: float = 30) -> dict[str, Any]:
    """Seconds, MiB, percent of one core, milliseconds."""
    knobs = Knobs(clients=mailboxes + 300, inotify_instances=2 * mailboxes + 500)
    with Folder() as folder, Dovecot(knobs) as dovecot:
        return _measure(folder, dovecot, mailboxes, min(mails, mailboxes), still_seconds)


def _measure(folder: Path, dovecot: Dovecot, mailboxes: int, mails: int, still_seconds: float) -> dict[str, Any]:
    public = free_port()
    _configure(folder, dovecot, public, mailboxes)
    path = {"PYTHONPATH": str(Path(__file__).parent.parent)}
    start = time.perf_counter()
    with Process(["allears", "run", "--config", "allears.toml"], folder, public, path) as process:
        _until(lambda: _idling(dovecot) >= mailboxes, 30 + mailboxes / 4)
        started = time.perf_counter() - start
        still = _still(process, still_seconds)
        arrivals = _deliver(folder, dovecot, random.Random(1).sample(range(mailboxes), mails))
        process.measure()
        threads = psutil.Process(process.pid).num_threads()
        back = _restart(dovecot, mailboxes)
        process.measure()
    return {
        "mailboxes": mailboxes, "until_all_idle_s": started, **still, "threads": threads,
        "until_all_idle_again_s": back, "peak_mib": process.peak_bytes / 2**20, **arrivals,
    }  # fmt: skip


def _configure(folder: Path, dovecot: Dovecot, public: int, mailboxes: int) -> None:
    text = HEAD.format(public=public, admin=free_port(), folder=folder)
    for number in range(mailboxes):
        text += CHANNEL.format(number=number, port=dovecot.port, password=dovecot.password)
    (folder / "allears.toml").write_text(text)


def _still(process: Process, seconds: float) -> dict[str, float]:
    """What it takes to do nothing; polls on schedule included."""
    before, resident = process.cpu_seconds(), []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        resident.append(process.measure())
        time.sleep(1)
    return {"idle_mib": median(resident) / 2**20, "idle_cpu_percent": (process.cpu_seconds() - before) / seconds * 100}


def _idling(dovecot: Dovecot) -> int:
    """Processes of the server that watch a mailbox: each has an inotify instance while its client idles."""
    return sum(_watches(child.pid) for child in psutil.Process(dovecot.pid).children() if child.name() == "imap")


def _restart(dovecot: Dovecot, mailboxes: int) -> float:
    """Seconds from the server's return until everybody is back."""
    dovecot.stop()
    time.sleep(OUTAGE_SECONDS)
    dovecot.start()
    start = time.perf_counter()
    _until(lambda: _idling(dovecot) >= mailboxes, 60 + mailboxes / 4)
    return time.perf_counter() - start


def _watches(pid: int) -> bool:
    try:
        return any("inotify" in str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


# Mails


@dataclass
class Times:
    """By mailbox, of `time.perf_counter`."""

    sent: dict[int, float] = field(default_factory=dict)
    told: dict[int, float] = field(default_factory=dict)
    filed: dict[int, float] = field(default_factory=dict)

    def delays(self, arrived: dict[int, float]) -> list[float]:
        return [(at - self.sent[number]) * 1000 for number, at in arrived.items()]


def _deliver(folder: Path, dovecot: Dovecot, numbers: Sequence[int]) -> dict[str, float]:
    times = Times()
    with ExitStack() as clients, selectors.DefaultSelector() as selector:
        for number in numbers:
            client = IMAPClient(dovecot.host, dovecot.port, ssl=False, timeout=20)
            clients.callback(client.shutdown)
            _idle(client, dovecot, number)
            selector.register(client.socket(), selectors.EVENT_READ, (number, client))
        senders = {number: Mailbox(Account(dovecot, number)) for number in numbers}
        for sender in senders.values():
            clients.callback(sender.close)
        watch = _watch(folder / "filed.jsonl", selector, times)
        for number in numbers:
            times.sent[number] = time.perf_counter()
            senders[number].append(MAIL.format(number=number).encode())
            _spend(watch, lambda: False, PACE_SECONDS)
        _spend(watch, lambda: len(times.filed) == len(times.told) == len(numbers), 60)
    filed, told = times.delays(times.filed), times.delays(times.told)
    return {
        "lost": float(len(numbers) - len(filed)),
        "append_to_filed_p50_ms": median(filed), "append_to_filed_p95_ms": quantiles(filed, n=20)[18],
        "dovecot_notice_p50_ms": median(told), "dovecot_notice_p95_ms": quantiles(told, n=20)[18],
    }  # fmt: skip


class Account:
    """One of the mailboxes."""

    def __init__(self, server: Dovecot, number: int) -> None:
        self.host, self.port, self.password = server.host, server.port, server.password
        self.user = f"user{number}@example.com"


def _idle(client: IMAPClient, dovecot: Dovecot, number: int) -> None:
    client.login(f"user{number}@example.com", dovecot.password)
    client.select_folder("INBOX", readonly=True)
    client.idle()


def _watch(filed: Path, selector: selectors.BaseSelector, times: Times) -> Iterator[None]:
    """Notes what has come, at each step."""
    offset = 0
    while True:
        for key, _ in selector.select(0.005):
            number, client = key.data
            if any(b"EXISTS" in line for line in client.idle_check(timeout=0.01)):
                times.told.setdefault(number, time.perf_counter())
                selector.unregister(key.fileobj)
        fresh = b""
        if filed.exists():
            with filed.open("rb") as file:
                file.seek(offset)
                fresh = file.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        offset += len(whole)
        for found in re.findall(rb'"messages":\["idle-(\d+)@', whole):
            times.filed.setdefault(int(found), time.perf_counter())
        yield


def _spend(watch: Iterator[None], condition: Callable[[], bool], seconds: float) -> None:
    until = time.perf_counter() + seconds
    while not condition() and time.perf_counter() < until:
        next(watch)


def _until(condition: Callable[[], bool], seconds: float) -> None:
    """RuntimeError when it does not come true in time."""
    until = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > until:
            raise RuntimeError(f"not within {seconds:.0f} s")
        time.sleep(0.5)
