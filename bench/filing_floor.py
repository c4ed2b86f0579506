"""The floor of filing: the same number of complaints written to the same store by its own means, with no journal, no
marks, no doubt.

python -m bench.filing_floor KIND SETTINGS COUNT FOLDER
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from allears_sdk.codec import encode
from bench.filing import BATCH, at, record_of, said
from bench.loop import run

CONNECTIONS = 32


def bodies(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield encode(record_of(said(number), at(number)))


async def webhook(settings: Mapping[str, Any], count: int, folder: Path) -> None:
    import httpx
    from httpx_aiohttp import AiohttpTransport

    left = bodies(count)

    async def post(client: httpx.AsyncClient) -> None:
        for body in left:
            await client.post(settings["url"], content=body)

    async with httpx.AsyncClient(transport=AiohttpTransport()) as client:
        await asyncio.gather(*(post(client) for _ in range(CONNECTIONS)))


async def jsonl(settings: Mapping[str, Any], count: int, folder: Path) -> None:
    def write() -> None:
        with (folder / "floor.jsonl").open("ab") as file:
            for number, body in enumerate(bodies(count), 1):
                file.write(body + b"\n")
                if number % BATCH == 0:
                    file.flush()
                    os.fsync(file.fileno())

    await asyncio.to_thread(write)


async def sql(settings: Mapping[str, Any], count: int, folder: Path) -> None:
    def write() -> None:
        database = sqlite3.connect(folder / "floor.db", isolation_level=None)
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE complaint (id TEXT PRIMARY KEY, body TEXT)")
        database.execute("BEGIN")
        for number, body in enumerate(bodies(count), 1):
            database.execute("INSERT INTO complaint VALUES (?,?)", (str(number), body))
            if number % BATCH == 0:
                database.execute("COMMIT")
                database.execute("BEGIN")
        database.execute("COMMIT")

    await asyncio.to_thread(write)


async def nats(settings: Mapping[str, Any], count: int, folder: Path) -> None:
    from nats import connect

    client = await connect(settings["servers"])
    stream = client.jetstream()
    left = iter(bodies(count))

    async def publish() -> None:
        for body in left:
            await stream.publish(f"allears.complaints.{time.monotonic_ns()}", body)

    await asyncio.gather(*(publish() for _ in range(BATCH)))
    await client.close()


FLOORS: Mapping[str, Callable[[Mapping[str, Any], int, Path], Awaitable[None]]] = {
    "webhook": webhook,
    "jsonl": jsonl,
    "sql": sql,
    "nats": nats,
}


async def measure(kind: str, settings: Mapping[str, Any], count: int, folder: Path) -> dict[str, float]:
    began = time.monotonic()
    await FLOORS[kind](settings, count, folder)
    return {"per_second": count / (time.monotonic() - began)}


if __name__ == "__main__":
    print(json.dumps(run(measure(sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))))
