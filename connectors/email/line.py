"""One account's single connection, shared in turns: polls go first, IDLE fills the time between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, Unavailable
from connectors.email.account import Account
from connectors.email.door import Door, door_of
from connectors.email.faults import Broken, Refused
from connectors.email.session import Session
from connectors.email.settings import EmailSettings
from connectors.email.slots import Slots, slots_of

R = TypeVar("R")

_CALL_TIMEOUTS = 20
"""One call may take this many time-outs in all: a server that trickles holds no thread for ever."""
_PATIENCE_SECONDS = 60.0
"""A poll that is held up this long (a full disk, say) no longer keeps IDLE waiting."""


class Line:
    """Whoever holds the lock uses the session alone. A session in an unknown state is killed, never reused."""

    def __init__(self, settings: EmailSettings, context: Context, account: Account) -> None:
        self._settings = settings
        self._context = context
        self._account = account
        self._lock = asyncio.Lock()
        self._session: Session | None = None
        self._waiting = 0
        self._bell = asyncio.Event()
        self._polls = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.attended = asyncio.Event()
        """A poll has begun since this was last cleared."""
        self._read_to: dict[str, tuple[int, int]] = {}
        self._leaving = False
        self._idling = ""

    @contextmanager
    def polling(self) -> Iterator[None]:
        """IDLE is not entered while a poll walks its pages."""
        self._polls += 1
        self._quiet.clear()
        self.attended.set()
        try:
            yield
        finally:
            self._polls -= 1
            if not self._polls:
                self._quiet.set()
                if not self._lock.locked():
                    self._part()

    @asynccontextmanager
    async def turn(self, folder: str, *, sync: bool = True) -> AsyncIterator[Session]:
        """The session in `folder`, with `sync` knowing what is new there; IDLE is interrupted for it."""
        self._waiting += 1
        self._bell.set()
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1
        try:
            yield await self._ready(folder, sync=sync)
        finally:
            self._lock.release()

    async def call(self, function: Callable[..., R], *args: Any) -> R:
        """Run `function(session, *args)` in the pool; only while holding the turn."""
        session = self._session
        if session is None:
            raise Broken("the connection was closed")
        return await self._run(session, function, *args)

    async def _run(self, session: Session, function: Callable[..., R], *args: Any) -> R:
        try:
            async with asyncio.timeout(self._settings.timeout_seconds * _CALL_TIMEOUTS), self._door.calling():
                return await self._context.blocking(session.run, function, *args)
        except TimeoutError:
            self._drop(session)
            raise Broken(f"{self._settings.host} takes too long") from None
        except AllearsError:
            if session.dead:
                self._drop(session)
            raise
        except BaseException:  # cancelled: the thread may be in the middle of an answer
            self._drop(session)
            raise

    def _drop(self, session: Session) -> None:
        session.kill()
        if self._session is session:
            self._session = None
            self._give_back()

    def close(self) -> None:
        """Ends every wait at the socket; the pool's threads return at once."""
        if self._session is None:
            self._give_back()
            return
        if self._lock.locked():
            self._session.hang_up()  # who holds the line sees its end and drops it
        else:
            self._drop(self._session)

    async def _ready(self, folder: str, *, sync: bool) -> Session:
        readonly = self._settings.after == "nothing"
        if self._session is not None:
            with suppress(Broken):  # it was lost while nobody looked: a new one takes its place
                return await self._enter(self._session, folder, readonly, sync)
        return await self._enter(await self._account.enter(self._connect), folder, readonly, sync)

    async def _connect(self, token: str) -> Session:
        await self._take()
        session = Session(self._settings)
        self._session = session
        try:
            async with self._door.entering():
                await self._run(session, Session.open, token)
        except AllearsError as error:
            self._drop(session)
            if isinstance(error, Refused):
                raise Unavailable(str(error), detail=error.detail) from error
            raise
        return session

    # Taking turns, where a server takes few connections

    @property
    def _door(self) -> Door:
        return door_of(self._settings.host, self._settings.effective_port)

    async def _take(self, *, patient: bool = False) -> None:
        most = self._settings.max_connections
        if most is not None:
            await self._slots.take(self, most, patient=patient)

    def _give_back(self) -> None:
        if self._settings.max_connections is not None:
            self._slots.give_back(self)

    @property
    def _slots(self) -> Slots:
        return slots_of(self._settings.host, self._settings.effective_port)

    def give_way(self) -> bool:
        if self._polls or self._waiting or self._leaving or self._session is None:
            return False
        self._leaving = True
        if self._lock.locked():
            self._bell.set()
        else:
            self._part()
        return True

    def _is_wanted(self) -> bool:
        is_limited = self._settings.max_connections is not None
        return is_limited and (self._leaving or self._slots.wanted) and not self._polls and not self._waiting

    def _part(self) -> None:
        """Give the place to a mailbox that waits to poll."""
        if self._session is not None and self._is_wanted():
            self._drop(self._session)
        self._leaving = False

    async def _enter(self, session: Session, folder: str, readonly: bool, sync: bool) -> Session:
        selected = session.selected
        if selected is None or (selected.folder, selected.readonly) != (folder, readonly):
            await self._run(session, Session.select, folder, readonly)
        if sync:
            await self._run(session, Session.sync)
        return session

    def note_read(self, folder: str, next_uid: int) -> None:
        """A listing has just shown all mails below `next_uid`, and so all that SELECT told of."""
        selected = self._session.selected if self._session else None
        if selected is not None:
            self._read_to[folder] = (selected.uid_validity, max(next_uid, selected.uid_next or 0))

    async def idle(self, folder: str) -> bool | None:
        """Wait in `folder` until new mail may be there (True), or time is up or a poll wants the line (False).
        None: this server has no IDLE."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._quiet.wait()
        await self._take(patient=True)
        async with self._lock:
            try:
                return await self._listen(folder)
            finally:
                if self._session is None:
                    self._give_back()
                else:
                    self._part()

    async def _listen(self, folder: str) -> bool | None:
        session = await self._ready(folder, sync=False)
        if not session.has("IDLE"):
            return None
        if self._is_behind(session, folder) or await self.call(Session.announces):
            session.fresh = True
            return True
        if self._waiting or self._is_wanted():
            return False
        return await self._idle(session, folder)

    def _is_behind(self, session: Session, folder: str) -> bool:
        """Whether the SELECT just done told of mails that no listing has shown yet."""
        selected = session.selected
        if selected is None or not session.fresh:
            return False
        validity, next_uid = self._read_to.get(folder, (0, 0))
        return selected.uid_validity != validity or (selected.uid_next or next_uid + 1) > next_uid

    def would_hear(self, folder: str) -> bool:
        """Whether the server, which has told of new mail by itself before, has nothing to tell of this folder now."""
        return self._door.tells and self._idling == folder and not self._bell.is_set()

    async def _idle(self, session: Session, folder: str) -> bool:
        self._bell.clear()
        told = False
        try:
            if not await self.call(Session.start_idle) and not self._waiting and not self._is_wanted():
                self._idling = folder
                told = await self._hears(session)
        except asyncio.CancelledError:
            self._drop(session)
            raise
        finally:
            self._idling = ""
        news = await self.call(Session.end_idle)
        self._door.tells = self._door.tells or (told and news)
        return news

    async def _hears(self, session: Session) -> bool:
        """Until the server says more than that it is there (True), or IDLE is to be renewed or left. Any other word
        ends the IDLE, and the answer to DONE tells what it was: half lines need no care that way."""
        renew_at = asyncio.get_running_loop().time() + self._settings.idle_renew_minutes * 60
        while await self._bell_rings(session, renew_at):
            if not await self.call(Session.is_merely_there):
                return True
            self._bell.clear()
            if self._waiting or self._is_wanted():
                return False
        return False

    async def _bell_rings(self, session: Session, renew_at: float) -> bool:
        """Whether it was the server. No thread is held: the loop watches the socket."""
        loop, descriptor, told = asyncio.get_running_loop(), session.fileno(), False

        def ring() -> None:
            nonlocal told
            told = True
            loop.remove_reader(descriptor)
            self._bell.set()

        loop.add_reader(descriptor, ring)
        try:
            async with asyncio.timeout_at(renew_at):
                await self._bell.wait()
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(descriptor)
        return told
