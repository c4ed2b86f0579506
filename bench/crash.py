"""Kills the daemon at random points while mails, forms and chats flow in, then looks whether anything was lost or
doubled.

    python -m bench.crash --kills 1000 --seed 7

The world outside keeps its promises: a sender posts again until it is answered, a mail stays in its mailbox, the
webhook receiver knows a `webhook-id` it has seen. But it also loses answers, answers 500 after creating, and creates
seconds after the daemon has died; so does the line to a real Roundup, and connections to PostgreSQL break around the
commit. Everything is checked by content, in every store: each thing said carries a token of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from bench.crash_audit import Speech, make_token
from bench.crash_chats import Chats
from bench.crash_stores import Lines, Store, Webhook, more_stores
from bench.servers.postboxes import Postboxes
from bench.servers.process import free_port

CONFIGURATION = """
[allears]
data_folder = "data"
[public]
port = {public}
rate_limit_per_minute = 0
[admin]
port = {admin}
[channels.form]
connector = "form"
{mail}
{chats}
{stores}
[routing]
match = "all"
destinations = [{usual}]
default = {{}}
{routes}
"""
ROUTE = """
[[routes]]
name = "{name}"
channel = [{channels}]
destinations = ["{name}", {usual}]
"""
LOOKED_UP_SECONDS = 70
"""After so long a lost answer of Roundup's, the longest of all: see `Certainty.B`, and its time-out."""
PATIENCE_SECONDS = 180
"""As long may nothing move."""
WORK = ("allears_deliveries{", "allears_raws_waiting{")
DONE = ('state="sent"', 'state="letter"')
QUIET_SECONDS = 12
"""Long enough for every channel to be polled twice."""

COMPLAINTS = (
    "收到的空气炸锅插上电不加热，要求退款",
    "快递显示已签收，但我没有收到，请尽快处理",
    "The kettle stopped working after two days and support never answered.",
    "I was charged twice for one order, please refund the second payment.",
)


class Daemon:
    """The process under test, and nothing else of it: it is started, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.starts = 0
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.starts += 1
        with (self.folder / "daemon.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "allears", "run", "--config", str(self.folder / "allears.toml"),
                stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
            )  # fmt: skip

    async def kill(self) -> None:
        """The whole of it, at once, as the kernel does when memory is short."""
        if self._process is None:
            return
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    async def stop(self) -> int:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
        return await asyncio.wait_for(self._process.wait(), 30)

    @property
    def has_ended(self) -> bool:
        return self._process is None or self._process.returncode is not None


class Storm:
    """Senders, mailboxes, stores and daemon; what was said is in `said`, by token."""

    def __init__(self, folder: Path, seed: int, report: Callable[[str], None]) -> None:
        self.folder = folder
        self.rng = random.Random(seed)
        self.report = report
        self.daemon = Daemon(folder)
        self.postboxes: Postboxes | None = None
        self.said: dict[str, str] = {}
        """Token → where it was said: the form, one of the mail channels, or a chat."""
        self.chats = Chats(random.Random(seed + 2), self.said, self._say)
        self.hook, self.lines = Webhook(random.Random(seed + 1)), Lines(folder)
        self.stores: list[Store] = [self.hook, self.lines, *more_stores(folder, random.Random(seed + 3))]
        self.filed: dict[str, int] = {}
        """How much each store had been told when all was quiet."""
        self.backups: list[Path] = []
        self._count = 0
        self._threads: list[str] = []

    async def run(self, kills: int) -> list[str]:
        """The whole test. Returns the faults found, none when all is well."""
        self.public, self.admin = free_port(), free_port()
        async with contextlib.AsyncExitStack() as stack:
            self.postboxes = stack.enter_context(Postboxes(self.folder))
            self.session = await stack.enter_async_context(ClientSession(timeout=ClientTimeout(5)))
            for store in self.stores:
                stack.push_async_callback(store.stop)
                await store.start()
            stack.push_async_callback(self.chats.stop)
            await self.chats.start(self.public)
            self._configure(self.postboxes.configuration())
            stack.push_async_callback(self.daemon.kill)
            return await self._run(kills)

    async def _run(self, kills: int) -> list[str]:
        await self._rage(kills)
        faults = await self._settle("after the kills")
        if not faults and self.backups:
            faults = await self._restore()
        if code := await self.daemon.stop():
            faults.append(f"the daemon ended with {code}")
        return faults

    def _configure(self, mail: str) -> None:
        tables = "".join(store.configuration() for store in self.stores)
        usual = ", ".join(f'"{store.name}"' for store in self.stores if not store.channels)
        routes = [
            ROUTE.format(name=store.name, channels=", ".join(f'"{one}"' for one in store.channels), usual=usual)
            for store in self.stores
            if store.channels
        ]
        text = CONFIGURATION.format(
            public=self.public, admin=self.admin, mail=mail, chats=self.chats.configuration(), stores=tables,
            usual=usual, routes="".join(routes),
        )  # fmt: skip
        (self.folder / "allears.toml").write_text(text)

    async def _rage(self, kills: int) -> None:
        assert self.postboxes, "the mailboxes are there"
        speaking = [self._post_forms(), self._send_mails(self.postboxes), *self.chats.speakers()]
        speakers = [asyncio.create_task(one) for one in speaking]
        try:
            for number in range(1, kills + 1):
                await self.daemon.start()
                await self._live()
                if number in (kills // 3, 2 * kills // 3):
                    await self._back_up()
                await self.daemon.kill()
                for store in self.stores:
                    store.annoy(self.rng)
                if number % 10 == 0:
                    self.report(f"{number} kills, {len(self.said)} said, {len(self.hook.receiver.created)} received")
        finally:
            for task in speakers:
                task.cancel()
            await asyncio.gather(*speakers, return_exceptions=True)

    async def _live(self) -> None:
        """Once in three times until the middle of starting or recovering, once until it hears, once until it files,
        however slow the machine is."""
        if self.rng.random() < 1 / 3:
            await asyncio.sleep(self.rng.uniform(0.2, 1.0))
            return
        wanted = self._calls() + (self.rng.random() < 1 / 2)
        for _ in range(400):  # 20 s
            if self._calls() >= wanted and await self._is_open():
                break
            await asyncio.sleep(0.05)
        await asyncio.sleep(self.rng.choice((self.rng.uniform(0.0, 1.0), self.rng.uniform(0.5, 3.0))))

    def _calls(self) -> int:
        return sum(store.met.total() for store in self.stores)

    async def _is_open(self) -> bool:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.public)
            writer.close()
            return True
        return False

    # Speaking

    def _token(self) -> str:
        self._count += 1
        return make_token(self._count)

    def _say(self) -> tuple[str, str]:
        token = self._token()
        return token, f"{self.rng.choice(COMPLAINTS)} {token}"

    async def _post_forms(self) -> None:
        while True:
            token, text = self._say()
            body = {"text": text, "author": {"name": "王小明"}}
            await self._post_until_answered(token, body)
            self.said[token] = "form"
            await asyncio.sleep(self.rng.uniform(0, 0.2))

    async def _post_until_answered(self, token: str, body: dict[str, Any]) -> None:
        while True:
            with contextlib.suppress(ClientError, TimeoutError, OSError):
                url = f"http://127.0.0.1:{self.public}/in/form"
                async with self.session.post(url, json=body, headers={"Idempotency-Key": token}) as answer:
                    if answer.status in (200, 201):
                        return
            await asyncio.sleep(self.rng.uniform(0.05, 0.3))

    async def _send_mails(self, postboxes: Postboxes) -> None:
        while True:
            token, channel = self._token(), self.rng.choice(postboxes.channels)
            await asyncio.to_thread(postboxes.append, channel, self._mail(token))
            self.said[token] = channel
            await asyncio.sleep(self.rng.uniform(0.05, 0.4))

    def _mail(self, token: str) -> bytes:
        mail = EmailMessage()
        mail["From"], mail["To"] = "李雷 <lilei@example.com>", "kefu@example.com"
        mail["Message-ID"] = f"<{token}@mail.example.com>"
        mail["Date"] = "Sun, 22 Nov 2026 08:00:00 +0800"
        if self._threads and self.rng.random() < 0.3:
            root = self.rng.choice(self._threads)
            mail["Subject"], mail["In-Reply-To"] = f"Re: 投诉 {root}", f"<{root}@mail.example.com>"
        else:
            mail["Subject"] = f"投诉 {token}"
            self._threads.append(token)
        mail.set_content(f"{self.rng.choice(COMPLAINTS)} {token}\n")
        return mail.as_bytes()

    # Looking

    async def _settle(self, when: str) -> list[str]:
        """Let the daemon finish in peace, then count."""
        self.chats.calm()
        for store in self.stores:
            store.calm()
        self._pass_time()
        await self.daemon.start()
        faults = await self._until_all_is_well()
        self.report(f"{when}: {len(self.said)} said, told: {self.filed}")
        return [*(f"{when}: {fault}" for fault in faults), *self.warnings()] if faults else []

    def _pass_time(self) -> None:
        """Who was killed at work ten times and then met a fault waits up to an hour: as if that time had gone by, but
        for the last moments, in which a lost request may still be running."""
        with contextlib.closing(sqlite3.connect(self.folder / "data" / "journal.sqlite3")) as journal, journal:
            latest = time.time() + LOOKED_UP_SECONDS
            journal.execute("UPDATE deliveries SET next_at = min(next_at, ?) WHERE state = 'doubt'", (latest,))

    async def _until_all_is_well(self) -> list[str]:
        """What is wrong when nothing moves any more."""
        figures: Mapping[str, float] = {}
        moved_at, quiet = time.monotonic(), 0
        while not self.daemon.has_ended and time.monotonic() - moved_at < PATIENCE_SECONDS:
            await asyncio.sleep(1)
            before, figures = figures, await self._figures()
            moved_at = moved_at if figures == before else time.monotonic()
            quiet = quiet + 1 if figures == before and _is_idle(figures) else 0
            if quiet >= QUIET_SECONDS:
                quiet = 0
                if not await self.faults():
                    return []
        return [*await self.faults(), *([] if _is_idle(figures) else [f"the daemon is still at it: {figures}"])]

    async def _figures(self) -> Mapping[str, float]:
        """What the daemon says of its work; nothing while it does not answer."""
        with contextlib.suppress(ClientError, TimeoutError, OSError):
            async with self.session.get(f"http://127.0.0.1:{self.admin}/metrics") as answer:
                lines = [line.rpartition(" ") for line in (await answer.text()).splitlines()]
                return {name: float(value) for name, _, value in lines if name.startswith(WORK)}
        return {}

    async def faults(self) -> list[str]:
        """What is lost or doubled, in any store, or left where it should have been removed."""
        left = await asyncio.to_thread(self.postboxes.left) if self.postboxes else {}
        found = [f"{count} mails are left in {name}" for name, count in left.items()] + self.chats.faults()
        for store in self.stores:
            found += [f"{store.name}: {fault}" for fault in await self._audit(store)]
        return found or self.chats.unedited(self.lines.newest_words())

    async def _audit(self, store: Store) -> list[str]:
        tellings = await store.told()
        self.filed[store.name] = len(tellings)
        said = {token: where for token, where in self.said.items() if not store.channels or where in store.channels}
        return store.oddities() + Speech(said=said, edits=self.chats.reworded).faults(tellings)

    def warnings(self) -> list[str]:
        """The daemon's own: its newest warnings and errors, for whoever asks why."""
        path = self.folder / "daemon.log"
        lines = path.read_text("utf-8", "replace").splitlines() if path.exists() else []
        return [line for line in lines if "[warning" in line or "[error" in line][-20:]

    # Backup and restore

    async def _back_up(self) -> None:
        target = self.folder / f"backup-{len(self.backups)}"
        command = [sys.executable, "-m", "allears", "backup", str(target), "--config", "allears.toml"]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=self.folder, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        _, words = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"backup failed: {words.decode()}")
        self.backups.append(target)

    async def _restore(self) -> list[str]:
        """A data folder from the middle of the storm: what it reads and files again must be nowhere twice."""
        await self.daemon.stop()
        shutil.move(self.folder / "data", self.folder / "data-before")
        command = [sys.executable, "-m", "allears", "restore", str(self.backups[-1]), "--config", "allears.toml"]
        process = await asyncio.create_subprocess_exec(*command, cwd=self.folder)
        if await process.wait():
            raise RuntimeError("restore failed")
        for store in self.stores:
            store.note_restore()
        return await self._settle("after a restore")


def _is_idle(figures: Mapping[str, float]) -> bool:
    """Nothing known is not idle."""
    return bool(figures) and not any(count for name, count in figures.items() if not any(word in name for word in DONE))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", action="store_true", help="keep the folder, for looking at its log")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="allears-crash-"))
    print(f"seed {arguments.seed}, {arguments.kills} kills, in {folder}", flush=True)
    storm = Storm(folder, arguments.seed, lambda line: print(line, flush=True))
    faults = asyncio.run(storm.run(arguments.kills))
    print(f"{storm.daemon.starts} starts, said: {dict(Counter(storm.said.values()))}")
    for store in storm.stores:
        print(f"{store.name} was told {storm.filed.get(store.name, 0)} things and met {dict(store.met)}")
    if faults:
        sys.exit("\n".join([*faults, f"repeat with --seed {arguments.seed}; everything is in {folder}"]))
    if not arguments.keep:
        shutil.rmtree(folder)
    print(f"{arguments.kills} kills: 0 lost, 0 doubled")


if __name__ == "__main__":
    main()
