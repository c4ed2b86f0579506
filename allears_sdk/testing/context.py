"""A `Context` for tests, made of parts that live in memory."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from allears_sdk.accounts import Accounts, Quotas
from allears_sdk.budget import Budget, Window
from allears_sdk.complaint import AttachedFile
from allears_sdk.context import Clock, Context, Files, Log
from allears_sdk.errors import Rejected
from allears_sdk.remote import Remote
from allears_sdk.testing.clock import FakeClock

P = ParamSpec("P")
R = TypeVar("R")


class MemoryTokens:
    """`Tokens` that end with the test. Several contexts may share one, as channels of one account do."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, Any]] = {}
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, name: str) -> Mapping[str, Any] | None:
        return self.values.get(name)

    async def put(self, name: str, value: Mapping[str, Any]) -> None:
        self.values[name] = dict(value)

    async def delete(self, name: str) -> None:
        self.values.pop(name, None)

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        async with self._locks[name]:
            yield


class MemoryLedger:
    """`Ledger` that ends with the test. Channels of one account share one."""

    def __init__(self) -> None:
        self._spent: dict[tuple[str, str, Window], int] = defaultdict(int)

    async def spend(self, budget: Budget, window: Window, amount: int) -> int | None:
        after = max(0, await self.spent(budget, window) + amount)
        if amount > 0 and after > budget.most:
            return None
        self._spent[budget.account, budget.unit, window] = after
        return after

    async def spent(self, budget: Budget, window: Window) -> int:
        return self._spent[budget.account, budget.unit, window]


class MemoryFiles:
    """`Files` that end with the test: `contents` by SHA-256; links say what they would open."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def put(self, name: str, content: bytes, *, media_type: str = "image/jpeg", message: str = "") -> AttachedFile:
        """A file a record can name."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.contents[sha256] = content
        return AttachedFile(name=name, media_type=media_type, size=len(content), sha256=sha256, message=message)

    async def read(self, complaint_id: str, file: AttachedFile) -> bytes:
        if file.sha256 not in self.contents:
            raise Rejected(f"{file.name}: its bytes are not here")
        return self.contents[file.sha256]

    def link(self, complaint_id: str, file: AttachedFile, until: datetime) -> str:
        return f"https://allears.example.com/files/{complaint_id}/{file.sha256[:12]}?until={until:%Y%m%d}"


class RecordingLog:
    """A `Log` that keeps what was said: `entries` holds (level, event, facts)."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, dict[str, object]]] = []

    def debug(self, event: str, **facts: object) -> None:
        self.entries.append(("debug", event, facts))

    def info(self, event: str, **facts: object) -> None:
        self.entries.append(("info", event, facts))

    def warning(self, event: str, **facts: object) -> None:
        self.entries.append(("warning", event, facts))

    def error(self, event: str, **facts: object) -> None:
        self.entries.append(("error", event, facts))


async def _blocking(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    return await asyncio.to_thread(function, *args, **kwargs)


def make_context(
    name: str,
    folder: Path,
    *,
    clock: Clock | None = None,
    known: Collection[str] | Callable[[], Collection[str]] = frozenset(),
    remote: Remote | None = None,
    tokens: MemoryTokens | None = None,
    log: Log | None = None,
    files: Files | None = None,
    accounts: Accounts | None = None,
) -> Context:
    """A context whose data folder is `folder`/`name` (made on demand). `known` are the raw keys that count as
    stored, or a function that gives them at the time of asking."""
    clock = clock or FakeClock()
    sleep = clock.sleep if isinstance(clock, FakeClock) else asyncio.sleep
    accounts = accounts or Accounts(MemoryLedger(), Quotas(), clock)
    remote = remote or Remote(clock=clock, sleep=sleep)
    remote.on_answer = accounts.hear
    stored = known if callable(known) else lambda: known

    async def which_are_known(keys: Collection[str]) -> frozenset[str]:
        return frozenset(keys) & frozenset(stored())

    return Context(
        name=name,
        clock=clock,
        log=log or RecordingLog(),
        known=which_are_known,
        tokens=tokens or MemoryTokens(),
        remote=remote,
        data_folder=folder / name,
        blocking=_blocking,
        files=files or MemoryFiles(),
        accounts=accounts,
    )
