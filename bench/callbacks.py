"""WeChat's encrypted callbacks, durable before they are answered: beside a floor that does the same AES work; and
200 chats that talk at the same time, each filed as one complaint."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.posts import drive, middle, surroundings
from bench.process import Folder, Process
from bench.sealed import AES_KEY, APP_ID, TOKEN, Sealer
from bench.servers.process import free_port
from bench.texts import TEXTS

CHATS = 200
WORDS = ("你好", "我要投诉", *TEXTS, "有人吗？", "Please hurry.", "图片发不出来", "尽快处理")
CONFIGURATION = """
[allears]
data_folder = "data"
[public]
port = {public}
[admin]
port = {admin}
[channels.wechat]
connector = "wechat_oa"
app_id = "{app_id}"
token = "{token}"
encoding_aes_key = "{aes_key}"
settle_seconds = {settle_seconds}
[destinations.file]
sink = "jsonl"
path = "{folder}/filed.jsonl"
"""
SETTLE_SECONDS = 3


def measure(seconds: float, rounds: int) -> dict[str, Any]:
    """Rounds in turn, medians; then the chats."""
    floors, ours = [], []
    for _ in range(rounds):
        floors.append(_floor(seconds))
        ours.append(_ours(seconds))
    ratios = [one["per_second"] / two["per_second"] for one, two in zip(ours, floors, strict=True)]
    return {
        "floor": middle(floors), "ours": middle(ours), "ours / floor": median(ratios),
        f"{CHATS} chats at once": _chats(),
    }  # fmt: skip


def _floor(seconds: float) -> dict[str, float]:
    port = free_port()
    command = ["bench.floor", str(port), "floor.sqlite3", "--sealed"]
    with Folder() as folder, Process(command, folder, port, surroundings()) as process:
        return drive(f"http://127.0.0.1:{port}/in/wechat", seconds, process, "--sealed")


def _ours(seconds: float) -> dict[str, float]:
    with Folder() as folder:
        public = _configure(folder)
        with _daemon(folder, public) as process:
            return drive(f"http://127.0.0.1:{public}/in/wechat", seconds, process, "--sealed")


def _configure(folder: Path) -> int:
    public = free_port()
    text = CONFIGURATION.format(
        public=public, admin=free_port(), folder=folder, app_id=APP_ID, token=TOKEN, aes_key=AES_KEY,
        settle_seconds=SETTLE_SECONDS,
    )  # fmt: skip
    (folder / "allears.toml").write_text(text)
    return public


def _daemon(folder: Path, port: int) -> Process:
    return Process(["allears", "run", "--config", "allears.toml"], folder, port, surroundings())


def _chats() -> dict[str, float]:
    """Every chat says its words in turn, all interleaved over one connection."""
    with Folder() as folder:
        public = _configure(folder)
        with _daemon(folder, public):
            sealer = Sealer("127.0.0.1", public, "/in/wechat")
            started = time.perf_counter()
            spoken = [(f"o6_chat{chat:020}", f"{word} {chat}") for word in WORDS for chat in range(CHATS)]
            asyncio.run(_say([sealer.request(number, *said) for number, said in enumerate(spoken)], public))
            ended = time.perf_counter()
            records = _filed(folder / "filed.jsonl")
            return {
                "messages": len(spoken), "messages_per_second": len(spoken) / (ended - started),
                "complaints": len(records), "not_whole": sum(not _is_whole(record) for record in records),
                "filed_after_settling_ms": (time.perf_counter() - ended - SETTLE_SECONDS) * 1000,
            }  # fmt: skip


async def _say(requests: Sequence[bytes], port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(len(b"success"))
    writer.close()


def _filed(path: Path) -> list[dict[str, Any]]:
    until = time.perf_counter() + 60
    while time.perf_counter() < until:
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        if len(lines) >= CHATS:
            return [json.loads(line)["complaint"] for line in lines]
        time.sleep(0.02)
    return []


def _is_whole(record: dict[str, Any]) -> bool:
    """All that one customer said, in order, and nothing of another's."""
    texts = [said["text"] for said in record["conversation"]]
    return len({text.rsplit(" ", 1)[1] for text in texts}) == 1 and [text.rsplit(" ", 1)[0] for text in texts] == list(
        WORDS
    )
