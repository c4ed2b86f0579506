"""Batches of inputs in worker processes: many at once, results in order, a lost worker costs one input."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence

from allears.cli.normalising import Failed, Given, Settled, normalise_all
from allears.cli.session import Session
from allears.workers.pool import WorkerLost, Workers

_AHEAD = 2
"""Batches waiting per worker."""

Result = tuple[bytes, int]


async def side_by_side(
    first: Sequence[list[Given | Failed]],
    rest: Iterator[list[Given | Failed]],
    count: int,
    settled: Settled,
    session: Session,
) -> AsyncGenerator[Result, None]:
    """(lines, how many of them are errors) per batch, in order."""
    workers = Workers(count)
    waiting: deque[asyncio.Task[Result]] = deque()
    try:
        for batches in (iter(first), rest):
            for batch in batches:
                waiting.append(asyncio.create_task(_work(workers, batch, settled, session)))
                if len(waiting) >= count * _AHEAD:
                    yield await waiting.popleft()
                else:
                    await asyncio.sleep(0)
        while waiting:
            yield await waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()


async def _work(workers: Workers, batch: list[Given | Failed], settled: Settled, session: Session) -> Result:
    """A batch whose worker is lost is tried input by input, so that only the guilty one fails."""
    try:
        return await workers.run(normalise_all, batch, settled)
    except WorkerLost as error:
        if len(batch) > 1:
            results = [await _work(workers, [one], settled, session) for one in batch]
            return b"".join(lines for lines, _ in results), sum(bad for _, bad in results)
        reason = f"{session.say('worker_died')}: {error}"
        return normalise_all([Failed(source=batch[0].source, error=reason)], settled)
