"""A process that accepts and says so, until it is killed: `python -m tests.journal.victim FOLDER FIRST`."""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from pathlib import Path

from tests.journal.desk import Desk, said

CUSTOMERS = 16


async def customer(desk: Desk, number: int, first: int) -> None:
    """Redelivers every third message, and every fifth is a large one."""
    for turn in count(first):
        key = f"{number}/{turn}"
        text = f"坏了 {key} " + "很长" * (30_000 if turn % 5 == 0 else 10)
        raw = desk.raw(key, said(text))
        (accepted,) = await desk.accept("review", raw, stream=f"{number}", cursor={"version": 1, "at": turn})
        assert accepted.is_new
        print(key, flush=True)
        if turn % 3 == 0:
            (again,) = await desk.accept("review", raw)
            assert not again.is_new


async def files(desk: Desk) -> None:
    """The stages behind go on meanwhile."""
    while True:
        await desk.join([desk.reading(stored) for stored in await desk.take(limit=20) if not stored.body_file])
        due = await desk.due(limit=20)
        await desk.freeze(*due)
        await desk.sent(*due[: len(due) // 2])
        await asyncio.sleep(0.001)


async def main(folder: Path, first: int) -> None:
    desk = await Desk.open(folder)
    await desk.journal.recover()
    print("ready", flush=True)
    await asyncio.gather(files(desk), *(customer(desk, number, first) for number in range(CUSTOMERS)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
