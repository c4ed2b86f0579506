"""The watched directory as a stream: files become raws, and move only once those are stored."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from allears_sdk.connector import Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Missing, Threading, Words
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Unavailable
from allears_sdk.message import Raw
from connectors.folder.files import Source, Taken, can_read, open_source
from connectors.folder.inbox import DONE, FAILED, Found, Inbox
from connectors.folder.items import Item, Position, Reading, Reason
from connectors.folder.settings import FolderSettings

_VERSION = 1
_MAX_BATCH_BYTES = 8 << 20


@dataclass(slots=True)
class _Page:
    """What the next batch will hold, and which files move after it."""

    raws: list[Raw] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    finished: list[tuple[Found, Reason | None]] = field(default_factory=list)
    size: int = 0
    cursor: Cursor = field(default_factory=lambda: {"version": _VERSION})

    def add(self, items: Sequence[Item]) -> None:
        for item in items:
            if item.raw:
                self.raws.append(item.raw)
                self.size += len(item.raw.body)
            if item.missing:
                self.missing.append(item.missing)

    @property
    def count(self) -> int:
        return len(self.raws) + len(self.missing)

    def is_full(self, limit: int) -> bool:
        return self.count >= limit or self.size >= _MAX_BATCH_BYTES

    def batch(self, *, more: bool) -> Batch:
        return Batch(raws=tuple(self.raws), missing=tuple(self.missing), cursor=self.cursor, more=more)


class FolderConnector(Connector[FolderSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="folder",
        title_en="Watched folder",
        title_zh="监视文件夹",
        hears=frozenset({Hears.POLL}),
        threading=Threading.MAIL,
        verified="ext4; files written by openpyxl and by hand",
        verified_zh="ext4；openpyxl 写出的和手工制作的文件",
    )
    Settings = FolderSettings

    def __init__(self, settings: FolderSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._path = context.data_folder / settings.path.expanduser()
        self._inbox = Inbox(self._path, settings.settle_file_seconds)
        self._unknown: frozenset[str] = frozenset()
        self._stuck: set[tuple[str, int, int]] = set()

    @property
    def own_spec(self) -> ConnectorSpec:
        """Rows of a platform's export are public items."""
        return replace(self.spec, threading=Threading.ITEM, public=True) if self.settings.mapping else self.spec

    async def start(self) -> None:
        with suppress(OSError):  # `check` and `poll` say what is wrong
            await self.context.blocking(self._inbox.make)

    async def check(self) -> Identity:
        _zone(self.settings.effective_timezone)
        try:
            counts = await self.context.blocking(self._try_out)
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be used: {error.strerror or error}") from error
        details = [f"{name}: {count}" for name, count in counts.items()]
        if export := self.settings.export:
            details.append(Words(f"sheets of {export.title_en}", zh=f"{export.title_zh}的表格"))
        return Identity(account=str(self._path), details=tuple(details))

    async def streams(self) -> Sequence[str]:
        return (str(self._path),)

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        """Oldest file first, but the one the cursor stopped in before all others."""
        files = await self._look()
        files.sort(key=lambda file: _position(cursor, self._reading(file), file) == Position())
        page, failure = _Page(), None
        for file in files:
            reading, is_paged = self._reading(file), False
            source = open_source(file.path, reading, _position(cursor, reading, file))
            try:
                while not (taken := await self._take(source, page, limit)).is_end:
                    page.add(taken.items)
                    page.cursor, is_paged = _cursor(file, reading, taken.items[-1].position), True
                    yield await self._batch(page, more=True)
                    await self._settle(page)
                    page = _Page(cursor=page.cursor)
                self._finish(page, file, reading, taken)
            except OSError as error:  # a failing disk or share: this file waits, the others are still tried
                failure = self._skip(file, error) or failure
            finally:
                source.close()
            if is_paged or page.is_full(limit):
                yield await self._batch(page, more=file is not files[-1])
                await self._settle(page)
                page = _Page()
        if page.finished:
            yield await self._batch(page, more=False)
            await self._settle(page)
        if failure:
            raise Unavailable(f"a file in {self._path} cannot be read: {failure.strerror}") from failure

    async def _look(self) -> list[Found]:
        clock = self.context.clock
        try:
            found = await self.context.blocking(self._inbox.look, clock.monotonic(), clock.now().timestamp())
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be listed: {error.strerror or error}") from error
        unknown = frozenset(file.name for file in found if not can_read(file.name))
        if unknown - self._unknown:
            suffixes = sorted({Path(name).suffix.lower() for name in unknown})
            self.context.log.warning("folder.unknown_files_left_alone", count=len(unknown), suffixes=suffixes)
        self._unknown = unknown
        return [file for file in found if file.name not in unknown and file.mark not in self._stuck]

    def _reading(self, file: Found) -> Reading:
        settings = self.settings
        return Reading(
            name=file.name,
            received_at=self.context.clock.now(),
            zone=_zone(settings.effective_timezone),
            export=settings.export,
            look_back=settings.look_back,
            product=settings.product,
            columns={str(part): header for part, header in settings.columns.items()},
            encoding=settings.encoding,
            rating_best=settings.rating_best,
            max_file_bytes=settings.max_file_bytes,
        )

    async def _batch(self, page: _Page, *, more: bool) -> Batch:
        """Only what is old and unknown is baseline: an old review that was changed is heard."""
        if old := [raw.key for raw in page.raws if raw.baseline]:
            known = await self.context.known(old)
            page.raws = [replace(raw, baseline=raw.baseline and raw.key not in known) for raw in page.raws]
        return page.batch(more=more)

    async def _take(self, source: Source, page: _Page, limit: int) -> Taken:
        room, max_bytes = max(limit - page.count, 1), max(_MAX_BATCH_BYTES - page.size, 1)
        return await self.context.blocking(source.take, room, max_bytes)

    def _skip(self, file: Found, error: OSError) -> OSError | None:
        """None when the file is simply gone."""
        self.context.log.info("folder.file_skipped", file=file.name, error=error.strerror)
        return None if isinstance(error, FileNotFoundError) else error

    def _finish(self, page: _Page, file: Found, reading: Reading, taken: Taken) -> None:
        """The file's last items, and a letter when the rest of it cannot be read."""
        page.add(taken.items)
        page.finished.append((file, taken.fault))
        if taken.items:
            page.cursor = _cursor(file, reading, taken.items[-1].position)
        if taken.fault:
            key = f"file:{hashlib.sha256(repr(file.mark).encode()).hexdigest()}"
            locator = {"file": file.name, "folder": FAILED}
            page.missing.append(Missing(key=key, reason=str(taken.fault), locator=locator))

    async def _settle(self, page: _Page) -> None:
        """After the commit: what is stored whole moves out of the way."""
        if page.finished:
            await self.context.blocking(self._move, page.finished)

    def _move(self, finished: Sequence[tuple[Found, Reason | None]]) -> None:
        for file, fault in finished:
            try:
                target = self._inbox.move(file, fault)
            except OSError as error:
                self._stuck.add(file.mark)
                self.context.log.error("folder.cannot_move", file=file.name, error=error.strerror)
                continue
            if not target:
                self.context.log.info("folder.changed_while_read", file=file.name)
            elif fault:
                self.context.log.warning("folder.file_failed", file=file.name, reason=fault.en)
            else:
                self.context.log.info("folder.file_done", file=file.name)
        self._inbox.sync()

    def _try_out(self) -> Mapping[str, int]:
        """Makes the folders, and tries whether files can be moved between them. Raises OSError."""
        self._inbox.make()
        probe = self._path / f".allears-check-{os.getpid()}"
        for folder in (DONE, FAILED):
            probe.write_bytes(b"")
            moved = self._path / folder / probe.name
            try:
                probe.rename(moved)
            finally:
                probe.unlink(missing_ok=True)
                moved.unlink(missing_ok=True)
        return self._inbox.counts()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f'timezone: there is no zone "{name}"') from error


def _position(cursor: Cursor | None, reading: Reading, file: Found) -> Position:
    """Where the cursor stopped in this very file; its start for any other, and when it was touched since, or is read
    by another mapping."""
    if not cursor or any(cursor.get(name) != value for name, value in _identity(file).items()):
        return Position()
    if cursor.get("mapping", "") != reading.mark:
        return Position()
    return Position(row=cursor["row"], offset=cursor["offset"], anonymous=cursor["anonymous"])


def _cursor(file: Found, reading: Reading, position: Position) -> Cursor:
    mark = {"mapping": reading.mark} if reading.mark else {}
    return {"version": _VERSION, **_identity(file), **mark, **asdict(position)}


def _identity(file: Found) -> dict[str, Any]:
    """With its ctime: a finished file that somebody moves back is read again."""
    return {"file": file.name, "size": file.size, "mtime_ns": file.mtime_ns, "ctime_ns": file.ctime_ns}
