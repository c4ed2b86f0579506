"""The fetching stage between a platform that a test scripts and the office that files; time is turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from allears.fetching.stage import Fetching
from allears_sdk.connector import Connector, ConnectorSpec, Hears, Media, Threading
from allears_sdk.message import Author, Ref
from allears_sdk.settings import ChannelSettings
from allears_sdk.testing import make_context
from tests.filing.office import Office

PHOTO = b"\xff\xd8\xff\xe0 a photo of a broken screen"
Answer = Media | Author | Exception


class Platform(Connector[ChannelSettings]):
    """Hands out what the test has put there; what nobody put there is gone."""

    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="platform",
        title_en="Platform",
        title_zh="平台",
        hears=frozenset({Hears.RECEIVE}),
        threading=Threading.CHAT,
    )
    Settings: ClassVar[type[ChannelSettings]] = ChannelSettings

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.answers: dict[str, list[Answer]] = {}
        """By id, in order; the last one again and again."""
        self.asked: list[str] = []
        self.open = asyncio.Event()
        self.open.set()

    async def fetch(self, ref: Ref) -> Media | Author:
        name = str(ref.locator["id"])
        self.asked.append(name)
        await self.open.wait()
        answers = self.answers[name]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Pier:
    """`platform` answers for every channel that is not paused."""

    def __init__(self, office: Office, folder: Path) -> None:
        self.office = office
        self.desk = office.desk
        self.paused: set[str] = set()
        self.troubles: list[tuple[str, str]] = []
        self._folder = folder
        self.platform = self.make_platform()
        self._task: asyncio.Task[None] | None = None

    def make_platform(self, **settings: Any) -> Platform:
        context = make_context("chat", self._folder, clock=self.desk.clock)
        return Platform(ChannelSettings(connector="platform", **settings), context)

    async def open(self) -> None:
        await self.office.open()
        stage = Fetching(self.desk.journal, self.desk.clock, self, uniform=lambda least, most: most)
        self._task = asyncio.create_task(stage.run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.office.close()

    async def restart(self) -> None:
        """As after a crash."""
        await self.close()
        await self.desk.reopen()
        self.office.stage = Office(self.desk).stage
        await self.open()

    # What the stage asks for

    def running(self) -> Collection[str]:
        return {"chat", "desk", "review", "mail"} - self.paused

    def connector(self, name: str) -> Platform | None:
        return self.platform if name in self.running() else None

    def note_fetching(self, name: str, trouble: str) -> None:
        self.troubles.append((name, trouble))

    # Saying

    def has(self, name: str, *answers: Answer) -> None:
        self.platform.answers[name] = list(answers) or [photo()]

    def file(self, id_: str, *, seconds: float | None = None, **facts: Any) -> dict[str, Any]:
        """An attachment that is still at the platform, for so many seconds."""
        ref: dict[str, Any] = {"locator": {"id": id_}}
        if seconds is not None:
            ref["fetch_before"] = (self.desk.clock.now() + timedelta(seconds=seconds)).isoformat()
        return {"name": "", "media_type": "image/jpeg", "ref": ref, **facts}

    async def say(self, key: str, text: str, *files: dict[str, Any], channel: str = "chat", **facts: Any) -> None:
        thread = facts.pop("thread", "wm-li" if channel == "chat" else "")
        await self.office.say(channel, key, text, thread=thread, attachments=list(files), **facts)

    # Waiting

    async def settle(self, seconds: float = 0) -> None:
        """Until so much later, everything having been read, fetched and filed at its moment."""
        until = self.desk.clock.monotonic() + seconds
        while True:
            await self.rest()
            pause = min(filter(None, (self._next_fetch(), await self._next_record())), default=None)
            if pause is None or self.desk.clock.monotonic() + pause > until:
                self.desk.clock.advance(until - self.desk.clock.monotonic())
                self.desk.journal.bells.fetches.set()
                await self.rest()
                return
            self.desk.clock.advance(pause + 1e-3)
            self.desk.journal.bells.ring_all()

    async def rest(self) -> None:
        """Until nothing is due but what the platform keeps us waiting for."""
        quiet, before = 0, -1
        async with asyncio.timeout(20):
            while quiet < (20 if self._is_due() else 3):  # a channel that is left alone keeps what is due
                await self.office.settle()
                quiet = quiet + 1 if len(self.platform.asked) == before else 0
                before = len(self.platform.asked)
                await asyncio.sleep(0.005)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - what is waited for rings no bell
                await asyncio.sleep(0.002)

    def _is_due(self) -> bool:
        names = [name for name in ("chat", "desk", "review", "mail") if name not in self.paused]
        marks = ",".join("?" * len(names))
        query = f"SELECT 1 FROM fetches WHERE state='waiting' AND next_at <= ? AND channel IN ({marks})"
        return bool(self.desk.rows(query, self.desk.clock.now().timestamp(), *names))

    def _next_fetch(self) -> float | None:
        now = self.desk.clock.now().timestamp()
        ((at,),) = self.desk.rows("SELECT min(next_at) FROM fetches WHERE state='waiting' AND next_at > ?", now)
        return None if at is None else max(0.001, at - now)

    async def _next_record(self) -> float | None:
        at = await self.desk.journal.next_due()
        return None if at is None else max(0.001, (at - self.desk.clock.now()).total_seconds())


def photo(content: bytes = PHOTO, *, name: str = "IMG_2041.jpg", media_type: str = "image/jpeg") -> Media:
    return Media(content=content, name=name, media_type=media_type)
