"""Kills the daemon at random points while mails, forms and chats flow in, then looks whether anything was lost or
doubled.

    python -m bench.crash --kills 1000 --seed 7

The world outside keeps its promises: a sender posts again until it is answered, a mail stays in its mailbox, the
webhook receiver knows a `webhook-id` it has seen, but it also loses answers, answers 500 after creating, and creates
seconds after the daemon has died. Everything is checked by content: each thing said carries a token of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from bench.crash_chats import Chats
from bench.servers.postboxes import Postboxes
from bench.servers.process import free_port
from bench.servers.receiver import Receiver

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
[destinations.hook]
sink = "webhook"
url = "http://127.0.0.1:{hook}/hook"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
allow_private_network = true
timeout_seconds = 2
max_attempts = 1000
[destinations.file]
sink = "jsonl"
path = "{folder}/filed.jsonl"
"""

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
    """Senders, mailbox, receiver and daemon; what was said is in `said`, by token."""

    def __init__(self, folder: Path, seed: int, report: Callable[[str], None]) -> None:
        self.folder = folder
        self.rng = random.Random(seed)
        self.report = report
        self.receiver = Receiver(random.Random(seed + 1))
        self.daemon = Daemon(folder)
        self.postboxes: Postboxes | None = None
        self.said: dict[str, str] = {}
        """Token → where it was said: the form, one of the mail channels, or a chat."""
        self.chats = Chats(random.Random(seed + 2), self.said, self._say)
        self.backups: list[Path] = []
        self._count = 0
        self._threads: list[str] = []

    async def run(self, kills: int) -> list[str]:
        """The whole test. Returns the faults found, none when all is well."""
        with Postboxes(self.folder) as postboxes:
            self.postboxes = postboxes
            async with self._receiving() as port, ClientSession(timeout=ClientTimeout(5)) as self.session:
                self.public = free_port()
                await self.chats.start(self.public)
                self._configure(port, postboxes.configuration())
                try:
                    return await self._run(kills)
                finally:
                    await self.daemon.kill()
                    await self.chats.stop()

    async def _run(self, kills: int) -> list[str]:
        await self._rage(kills)
        faults = await self._settle("after the kills")
        if not faults and self.backups:
            faults = await self._restore()
        if code := await self.daemon.stop():
            faults.append(f"the daemon ended with {code}")
        return faults

    @contextlib.asynccontextmanager
    async def _receiving(self) -> Any:
        app = web.Application()
        app.router.add_post("/hook", self.receiver.handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()

    def _configure(self, hook: int, mail: str) -> None:
        text = CONFIGURATION.format(
            public=self.public, admin=free_port(), mail=mail, chats=self.chats.configuration(), hook=hook,
            folder=self.folder,
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
                if number % 10 == 0:
                    self.report(f"{number} kills, {len(self.said)} said, {len(self.receiver.created)} received")
        finally:
            for task in speakers:
                task.cancel()
            await asyncio.gather(*speakers, return_exceptions=True)

    async def _live(self) -> None:
        """Once in three times until the middle of starting or recovering, else of work, however slow the machine is."""
        if self.rng.random() < 1 / 3:
            await asyncio.sleep(self.rng.uniform(0.2, 1.0))
            return
        for _ in range(400):  # 20 s
            if await self._is_open():
                break
            await asyncio.sleep(0.05)
        await asyncio.sleep(self.rng.choice((self.rng.uniform(0.0, 1.0), self.rng.uniform(0.5, 3.0))))

    async def _is_open(self) -> bool:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.public)
            writer.close()
            return True
        return False

    # Speaking

    def _token(self) -> str:
        self._count += 1
        return f"tok{self._count:06d}x"

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
        self.receiver.is_kind = True
        await self.daemon.start()
        deadline = time.monotonic() + 180
        faults = ["nothing was looked at"]
        while faults and time.monotonic() < deadline:
            await asyncio.sleep(1)
            faults = self.faults()
        await asyncio.sleep(5)  # what would come twice would come now
        faults = [f"{when}: {fault}" for fault in self.faults()]
        return [*faults, *self.warnings()] if faults else []

    def faults(self) -> list[str]:
        """What is lost or doubled, in either store, or left where it should have been removed."""
        found = [f"{count} mails are left in {name}" for name, count in self._left().items()]
        found += [f"the payload of {key} changed between tries" for key in self.receiver.changed]
        found += self.chats.faults()
        received, filed = self._received(), self._filed()
        found += self._compare("webhook", received) + self._compare("jsonl", filed)
        return found or self.chats.unedited(_newest_words(filed))

    def _left(self) -> dict[str, int]:
        return self.postboxes.left() if self.postboxes else {}

    def warnings(self) -> list[str]:
        """The daemon's own: its newest warnings and errors, for whoever asks why."""
        path = self.folder / "daemon.log"
        lines = path.read_text("utf-8", "replace").splitlines() if path.exists() else []
        return [line for line in lines if "[warning" in line or "[error" in line][-20:]

    def _compare(self, store: str, notices: Iterable[dict[str, Any]]) -> list[str]:
        seen: dict[str, dict[str, list[str]]] = defaultdict(dict)
        for event in (notice["event"] for notice in notices):
            for key, message in event["keys"].items():
                seen[self._token_of(message)].setdefault(key, []).append(event["id"])
        lost = [f"{store}: {token} ({where}) is lost" for token, where in self.said.items() if token not in seen]
        told = [(token, ids) for token, keys in seen.items() if token for ids in keys.values()]
        doubled = [f"{store}: {token} is in {', '.join(ids)}" for token, ids in told if len(ids) > 1]
        doubled += [
            f"{store}: {token} was told as {len(keys)} messages"
            for token, keys in seen.items()
            if token and len(keys) > 1 + (token in self.chats.edited)
        ]
        return lost[:10] + doubled[:10]

    def _token_of(self, message: str) -> str:
        return self.chats.names.get(message) or _token_in(message)

    def _received(self) -> Sequence[dict[str, Any]]:
        """What a receiver keeps. After a restore it does as docs/sinks/webhook.md says: of an event only those messages
        are news whose keys it does not know."""
        notices = [json.loads(body)["data"] for body in self.receiver.created.values()]
        if not self.receiver.is_restored:
            return notices
        kept: list[dict[str, Any]] = []
        known: set[str] = set()
        for notice in notices:
            event = notice["event"]
            fresh = {key: message for key, message in event["keys"].items() if key not in known}
            known |= fresh.keys()
            kept.append({**notice, "event": {**event, "keys": fresh}})
        return kept

    def _filed(self) -> Sequence[dict[str, Any]]:
        path = self.folder / "filed.jsonl"
        lines = path.read_bytes().split(b"\n") if path.exists() else []
        return [json.loads(line) for line in lines[:-1]]

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
        self.receiver.is_restored = True
        return await self._settle("after a restore")


def _newest_words(notices: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Of each message, as the newest record that holds it shows it."""
    newest: dict[str, str] = {}
    for notice in sorted(notices, key=lambda notice: int(notice["event"]["sequence"])):
        newest |= {said["id"]: said["text"] for said in notice["complaint"]["conversation"]}
    return newest


def _token_in(text: str) -> str:
    start = text.find("tok")
    return text[start : start + 10] if start >= 0 and text[start + 9 : start + 10] == "x" else ""


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
    print(f"receiver did {dict(storm.receiver.faults)}")
    if faults:
        sys.exit("\n".join([*faults, f"repeat with --seed {arguments.seed}; everything is in {folder}"]))
    if not arguments.keep:
        shutil.rmtree(folder)
    print(f"{arguments.kills} kills: 0 lost, 0 doubled")


if __name__ == "__main__":
    main()
