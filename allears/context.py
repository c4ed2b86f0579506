"""What connectors and sinks get from the house: their `Context`, from the daemon's clock, journal, log and client."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import structlog

from allears.journal.journal import Journal
from allears_sdk.accounts import Accounts, Quotas
from allears_sdk.codec import decode, encode
from allears_sdk.context import Clock, Context, Files, Log, NoFiles
from allears_sdk.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

    from allears_sdk.remote import Remote, Response

P = ParamSpec("P")
R = TypeVar("R")

KEY_FILE = "tokens.key"
MAX_THREADS = 8
"""Calls that may work at the same time."""
MAX_THREADS_EACH = 2
WORK_SECONDS = 0.1
"""A call that takes longer is taken to wait for somebody else: another may work beside it."""
MOST_THREADS = 256
"""With those that wait."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class TokenVault:
    """Tokens, encrypted on their way into the journal. The key lies beside it, readable by its owner alone."""

    def __init__(self, journal: Journal, data_folder: Path, log: Log) -> None:
        self._journal = journal
        self._key_file = data_folder / KEY_FILE
        self._log = log
        self._fernet: Fernet | None = None
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, space: str, name: str) -> Mapping[str, Any] | None:
        """None also for a token that cannot be read with today's key: whoever asks then logs in anew."""
        sealed = await self._journal.token(space, name)
        if sealed is None:
            return None
        from cryptography.fernet import InvalidToken

        try:
            return decode(self._cipher().decrypt(sealed), dict)
        except (InvalidToken, ValueError):
            advice = f"restore {KEY_FILE} beside the journal, or log in again"
            self._log.error("token_unreadable", space=space, token=name, advice=advice)
            return None

    async def put(self, space: str, name: str, value: Mapping[str, Any]) -> None:
        await self._journal.put_token(space, name, self._cipher().encrypt(encode(dict(value))))

    async def delete(self, space: str, name: str) -> None:
        await self._journal.delete_token(space, name)

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        async with self._locks[name]:
            yield

    def _cipher(self) -> Fernet:
        """Raises ConfigError when the key file holds no key."""
        if self._fernet is None:
            from cryptography.fernet import Fernet

            try:
                self._fernet = Fernet(_read_key(self._key_file, Fernet.generate_key))
            except ValueError:
                raise ConfigError(
                    f"{self._key_file} is not a key; restore it from a backup, or remove it and log in again"
                ) from None
        return self._fernet


def secret(data_folder: Path, purpose: str) -> bytes:
    """32 bytes of the data folder's own for one purpose, from the key its tokens are sealed with."""
    key = _read_key(data_folder / KEY_FILE, lambda: base64.urlsafe_b64encode(os.urandom(32)))
    return hmac.digest(key, purpose.encode(), "sha256")


def _read_key(path: Path, generate: Callable[[], bytes]) -> bytes:
    """The key in the file, made there on first use: on disk, and whole, before anything is sealed with it."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    key = generate()
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):  # another process was first: its key counts
        os.link(partial, path)
    partial.unlink()
    _sync_folder(path.parent)
    return path.read_bytes()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class OwnTokens:
    """The `Tokens` of one channel or destination."""

    def __init__(self, vault: TokenVault, space: str) -> None:
        self._vault = vault
        self._space = space

    async def get(self, name: str) -> Mapping[str, Any] | None:
        return await self._vault.get(self._space, name)

    async def put(self, name: str, value: Mapping[str, Any]) -> None:
        await self._vault.put(self._space, name, value)

    async def delete(self, name: str) -> None:
        await self._vault.delete(self._space, name)

    def lock(self, name: str) -> contextlib.AbstractAsyncContextManager[None]:
        return self._vault.lock(name)


class Threads:
    """The daemon's threads: few work at a time. Who waits for a server holds up nobody, were it for minutes."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="blocking")
        self._working = asyncio.Semaphore(MAX_THREADS)

    async def submit(self, call: Callable[[], R]) -> Future[R]:
        """Begins it as soon as there is room. The future is that of the pool."""
        await self._working.acquire()
        loop, place = asyncio.get_running_loop(), Place(self._working)
        try:
            future = self._pool.submit(call)
        except BaseException:
            place.leave()
            raise
        timer = loop.call_later(WORK_SECONDS, place.leave)

        def end(_: Future[R]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended before the call
                loop.call_soon_threadsafe(_end, timer, place)

        future.add_done_callback(end)
        return future

    def close(self) -> None:
        """A call that hangs is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class Place:
    """A semaphore's, to be left once."""

    __slots__ = ("_semaphore",)

    def __init__(self, semaphore: asyncio.Semaphore) -> None:
        self._semaphore: asyncio.Semaphore | None = semaphore

    def leave(self) -> None:
        if self._semaphore is not None:
            self._semaphore.release()
            self._semaphore = None


def _end(timer: asyncio.TimerHandle, place: Place) -> None:
    timer.cancel()
    place.leave()


class OwnThreads:
    """The `Blocking` of one channel or destination: its share of the daemon's threads. A call that hangs keeps
    its place until it ends, also when nobody waits for it any more, so that it cannot take more."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._places = asyncio.Semaphore(MAX_THREADS_EACH)

    async def __call__(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        await self._places.acquire()
        loop = asyncio.get_running_loop()

        def give_back(_: Future[R]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended before the call
                loop.call_soon_threadsafe(self._places.release)

        try:
            future = await self._threads.submit(partial(function, *args, **kwargs))
        except BaseException:
            self._places.release()
            raise
        future.add_done_callback(give_back)
        return await asyncio.wrap_future(future)


class LazyRemote:
    """Stands for the shared client until somebody uses it: a daemon without remote channels never loads httpx."""

    def __init__(self, make: Callable[[], Remote]) -> None:
        self._make = make
        self._made: Remote | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = self._make()
        return getattr(self._made, name)

    async def close(self) -> None:
        if self._made is not None:
            await self._made.aclose()


class OwnRemote:
    """The shared client as one channel or destination sees it: whose quotas its calls count against is noted."""

    def __init__(self, remote: LazyRemote, accounts: Accounts) -> None:
        self._remote = remote
        self._accounts = accounts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._remote, name)

    async def request(self, method: str, url: str, *, account: str = "", **given: Any) -> Response:
        if account:
            self._accounts.use(account)
        response: Response = await self._remote.request(method, url, account=account, **given)
        return response


class Contexts:
    """Makes the `Context` of each channel and destination, all of one journal, client and thread pool."""

    def __init__(
        self,
        journal: Journal,
        data_folder: Path,
        clock: Clock | None = None,
        *,
        make_remote: Callable[[Clock], Remote] | None = None,
        files: Files | None = None,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self._journal = journal
        self._data_folder = data_folder
        self._files = files or NoFiles()
        self._log: Log = structlog.get_logger("allears")
        self._vault = TokenVault(journal, data_folder, self._log)
        self._threads = Threads()
        self._shares: dict[str, OwnThreads] = {}
        self._make_remote = make_remote or _make_remote
        self._remote = LazyRemote(self._shared_remote)
        self.quotas = Quotas()
        self._told = Accounts(journal.spending, self.quotas, self.clock)

    def channel(self, name: str) -> Context:
        return self._make("channel", name)

    def destination(self, name: str) -> Context:
        return self._make("destination", name)

    def _shared_remote(self) -> Remote:
        remote = self._make_remote(self.clock)
        remote.on_answer = self._told.hear
        return remote

    def _make(self, kind: str, name: str) -> Context:
        space = f"{kind}:{name}"
        folder = self._data_folder / f"{kind}s" / name
        folder.mkdir(parents=True, exist_ok=True)

        async def known(keys: Collection[str]) -> frozenset[str]:
            return await self._journal.known(name, keys)

        accounts = Accounts(self._journal.spending, self.quotas, self.clock)
        return Context(
            name=name,
            clock=self.clock,
            log=structlog.get_logger(f"allears.{kind}").bind(**{kind: name}),
            known=known,
            tokens=OwnTokens(self._vault, space),
            remote=cast("Remote", OwnRemote(self._remote, accounts)),
            data_folder=folder,
            blocking=self._shares.setdefault(space, OwnThreads(self._threads)),
            files=self._files,
            accounts=accounts,
        )

    async def close(self) -> None:
        """Close the client's connections and let the threads go. A call that hangs is not waited for."""
        await self._remote.close()
        self._threads.close()


def _make_remote(clock: Clock) -> Remote:
    from allears_sdk.remote import Remote

    return Remote(clock=clock)
