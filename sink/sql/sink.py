"""Writes complaints into tables: a row for each, and a row for each thing told of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from allears_sdk.complaint import Event
from allears_sdk.connector import Identity
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, Rejected
from allears_sdk.sink import Certainty, Progress, Sending, Sink, SinkSpec, Ticket
from sink.sql.database import Database
from sink.sql.rows import Rows, read_rows, render_rows
from sink.sql.settings import SqlSettings
from sink.sql.writer import Writer


class SqlSink(Sink[SqlSettings]):
    spec: ClassVar[SinkSpec] = SinkSpec(
        kind="sql",
        title_en="SQL table",
        title_zh="数据库表",
        open_certainty=Certainty.A,
        follow_up_certainty=Certainty.A,
        wait_seconds=0,
        batches=True,
        is_stream=True,
        verified="SQLite 3, PostgreSQL 18, MariaDB 10.11",
        verified_zh="SQLite 3、PostgreSQL 18、MariaDB 10.11",
    )
    Settings: ClassVar[type[SqlSettings]] = SqlSettings

    def __init__(self, settings: SqlSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._database = database_of(settings)
        self._writer = Writer(self._database, settings)

    async def start(self) -> None:
        await self.context.blocking(self._writer.prepare)

    async def stop(self) -> None:
        await self.context.blocking(self._writer.close)

    async def check(self) -> Identity:
        missing = await self.context.blocking(self._writer.check)
        made = f" ({', '.join(missing)} will be made)" if missing else ""
        return Identity(account=f"{self.settings.url} {self.settings.table}{made}")

    def render(self, event: Event, key: str) -> bytes:
        return render_rows(event, key, self.settings, self._database.instant)

    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        return await self._send(Sending(payload=payload, key=key, ticket=None))

    async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        await self._send(Sending(payload=payload, key=key, ticket=ticket))

    async def send_many(self, sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
        read = [_read(sending.payload) for sending in sendings]
        good = [rows for rows in read if isinstance(rows, Rows)]
        try:
            written = iter(await self.context.blocking(self._writer.write, good))
        except AllearsError as error:
            return [error if isinstance(rows, Rows) else rows for rows in read]
        return [(next(written) or Ticket(id=rows.ticket_key)) if isinstance(rows, Rows) else rows for rows in read]

    async def _send(self, sending: Sending) -> Ticket:
        (result,) = await self.send_many([sending])
        if isinstance(result, Exception):
            raise result
        return result


def database_of(settings: SqlSettings) -> Database:
    """Drivers are loaded with the first connection."""
    scheme = settings.place.scheme
    if scheme == "sqlite":
        from sink.sql.sqlite import Sqlite

        return Sqlite(settings)
    if scheme == "mysql":
        from sink.sql.mysql import Mysql

        return Mysql(settings)
    from sink.sql.postgresql import Postgresql

    return Postgresql(settings)


def _read(payload: bytes) -> Rows | Rejected:
    try:
        return read_rows(payload)
    except Rejected as error:
        return error
