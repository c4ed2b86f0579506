"""PostgreSQL, through psycopg. Also behind PgBouncer: nothing is prepared, and what is set is set per transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, Unavailable
from sink.sql.database import Column, Connection, Database
from sink.sql.layout import Kind
from sink.sql.settings import SqlSettings

_TLS = {"prefer": "prefer", "require": "require", "verify": "verify-full"}
_ACCESS = frozenset({"28000", "28P01"})
_SETTINGS = frozenset({"3D000", "3F000", "42501", "42703", "42P01", "42P10", "42804", "42883"})
"""Database, schema, privilege, column, table, type: the SQLSTATEs of settings that cannot work."""
_OUTAGES = ("08", "25", "40", "53", "55", "57", "58", "XX")
"""Classes: connection, read-only standby, rolled back, resources, locks and time-outs, operator, disk, internal."""


class Postgresql(Database):
    types: ClassVar[Mapping[Kind, str]] = {
        Kind.KEY: "varchar(100)",
        Kind.TEXT: "text",
        Kind.INTEGER: "bigint",
        Kind.NUMBER: "double precision",
        Kind.INSTANT: "timestamptz",
        Kind.JSON: "jsonb",
    }

    def __init__(self, settings: SqlSettings) -> None:
        self._settings = settings
        self._wait_ms = int(settings.timeout_seconds * 800)

    def connect(self, *, is_reading: bool = False) -> Connection:
        try:
            import psycopg
        except ImportError:
            raise ConfigError("PostgreSQL needs a package more: pip install 'allears[postgresql]'") from None
        self.errors = (psycopg.Error, UnicodeEncodeError)
        place, settings = self._settings.place, self._settings
        try:
            return psycopg.connect(
                host=place.hostname, port=place.port or 5432, user=settings.user or None,
                password=settings.secret or None, dbname=settings.database, sslmode=_TLS[settings.tls],
                sslrootcert=str(settings.ca_file) if settings.ca_file else _system_roots(settings.tls),
                connect_timeout=max(2, int(settings.timeout_seconds / 3)), application_name="allears",
                keepalives_idle=30, tcp_user_timeout=self._wait_ms, client_encoding="UTF8",
                autocommit=True, prepare_threshold=None,
            )  # fmt: skip
        except psycopg.Error as error:
            raise self._cannot_connect(error) from None

    def begin(self, connection: Connection) -> None:
        wait = f"{self._wait_ms}ms"
        self.execute(
            connection,
            f"BEGIN; SET LOCAL statement_timeout = '{wait}'; SET LOCAL lock_timeout = '{wait}'; "
            f"SET LOCAL idle_in_transaction_session_timeout = '{wait}'",
        )

    def columns(self, connection: Connection, table: str) -> dict[str, Column]:
        rows = self.execute(
            connection,
            "SELECT a.attname, t.typcategory, a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', "
            "CASE WHEN t.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4 THEN a.atttypmod - 4 ELSE 0 END "
            "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
            "WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped",
            [_regclass(table)],
        )
        return {
            name: Column(name=name, is_text=category == "S", is_needed=needed, max_chars=chars)
            for name, category, needed, chars in rows
        }

    def unique(self, connection: Connection, table: str) -> frozenset[str]:
        rows = self.execute(
            connection,
            "SELECT a.attname FROM pg_index i "
            "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] "
            "WHERE i.indrelid = to_regclass(%s) AND i.indisunique AND i.indnkeyatts = 1 AND i.indpred IS NULL",
            [_regclass(table)],
        )
        return frozenset(name for (name,) in rows)

    def examine(self, connection: Connection, table: str, columns: Iterable[str]) -> None:
        ((encoding,),) = self.execute(connection, "SHOW server_encoding")
        if encoding != "UTF8":
            raise ConfigError(f"the database is in {encoding}: emoji and rare letters need one in UTF8")

    def judge(self, error: Exception) -> AllearsError:
        state, words = _state(error), _words(error)
        if state in _ACCESS:
            return AuthError(words)
        if state in _SETTINGS:
            return ConfigError(words)
        if not state:
            return Rejected(words) if _is_of_values(error) else Unavailable(words or "the connection broke")
        return Unavailable(words) if state.startswith(_OUTAGES) else Rejected(words)

    def has_refused(self, error: Exception) -> bool:
        return _state(error)[:2] in {"23", "40", "53"}

    def is_alive(self, connection: Connection) -> bool:
        return not connection.closed

    def adapt(self, value: Any) -> Any:
        """As text of no type: the server reads it as the column's own."""
        if isinstance(value, bool):
            return "true" if value else "false"
        return value if value is None else str(value)

    def commit(self, connection: Connection) -> None:
        cursor = connection.execute("COMMIT")
        if cursor.statusmessage != "COMMIT":
            raise Unavailable(f"the transaction ended in {cursor.statusmessage}")

    def _cannot_connect(self, error: Exception) -> AllearsError:
        """libpq tells of a refused password in words only."""
        words = _words(error)
        if "password" in words or "authentication" in words or "no pg_hba.conf entry" in words:
            return AuthError(words)
        if "does not exist" in words:
            return ConfigError(words)
        if "certificate" in words or "does not support SSL" in words or "sslrootcert" in words:
            return ConfigError(words)
        return Unavailable(words)


def _system_roots(tls: str) -> str | None:
    return "system" if tls == "verify" else None


def _regclass(table: str) -> str:
    return ".".join(f'"{part}"' for part in table.split("."))


def _state(error: Exception) -> str:
    return getattr(error, "sqlstate", None) or ""


def _is_of_values(error: Exception) -> bool:
    """Refused by the driver, before anything left."""
    import psycopg

    return isinstance(error, psycopg.DataError | UnicodeEncodeError)


def _words(error: Exception) -> str:
    """Its first line: those that follow repeat values."""
    return (str(error).strip().splitlines() or [""])[0][:500]
