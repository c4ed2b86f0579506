"""MySQL and MariaDB, through PyMySQL. Only tables with transactions (InnoDB), only columns in utf8mb4."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, Unavailable
from sink.sql.database import Column, Connection, Database
from sink.sql.layout import Kind, Table
from sink.sql.settings import SqlSettings

_ACCESS = frozenset({1045, 1251, 1698, 1820, 1862, 3118, 4151})
_SETTINGS = frozenset({1044, 1046, 1049, 1054, 1072, 1142, 1143, 1146, 1227, 1370})
"""Database, column, privilege, table: the numbers of settings that cannot work."""
_VALUES = frozenset({1048, 1062, 1153, 1216, 1217, 1263, 1264, 1265, 1292, 1300, 1364, 1366, 1406, 1411, 1451, 1452,
                     1525, 1526, 1644, 1690, 3140, 3819, 4025})  # fmt: skip
"""NULL, duplicates, sizes, foreign keys, ranges, encodings, signals of triggers, checks."""
_BROKEN = frozenset({1053, 1077, 1079, 1152, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 1969, 3024})
_WITHOUT_TRANSACTIONS = frozenset({"myisam", "aria", "memory", "csv", "archive", "mrg_myisam"})
_FIRST_OF_CLIENT = 2000
_MAX_PACKET_BYTES = 64 << 20


class Mysql(Database):
    types: ClassVar[Mapping[Kind, str]] = {
        Kind.KEY: "VARCHAR(100)",
        Kind.TEXT: "LONGTEXT",
        Kind.INTEGER: "BIGINT",
        Kind.NUMBER: "DOUBLE",
        Kind.INSTANT: "DATETIME(3)",
        Kind.JSON: "LONGTEXT",
    }

    def __init__(self, settings: SqlSettings) -> None:
        self._settings = settings
        self._wait_seconds = max(1, int(settings.timeout_seconds * 0.8))

    def connect(self, *, is_reading: bool = False) -> Connection:
        try:
            import pymysql
        except ImportError:
            raise ConfigError("MySQL needs a package more: pip install 'allears[mysql]'") from None
        self.errors = (pymysql.Error, UnicodeEncodeError)
        place, settings = self._settings.place, self._settings
        try:
            connection = pymysql.connect(
                host=place.hostname, port=place.port or 3306, user=settings.user or None,
                password=settings.secret, database=settings.database, charset="utf8mb4", autocommit=True,
                connect_timeout=max(2, int(settings.timeout_seconds / 3)), read_timeout=self._wait_seconds,
                write_timeout=self._wait_seconds, max_allowed_packet=_MAX_PACKET_BYTES,
                **self._tls(),
            )  # fmt: skip
            self._set(connection)
        except (pymysql.Error, OSError, ValueError) as error:
            raise self._cannot_connect(error) from None
        return connection

    def begin(self, connection: Connection) -> None:
        self.execute(connection, "START TRANSACTION")

    def columns(self, connection: Connection, table: str) -> dict[str, Column]:
        rows = self.execute(
            connection,
            "SELECT column_name, character_set_name, is_nullable, column_default, extra, "
            "CASE WHEN data_type LIKE '%%text' THEN character_octet_length DIV 4 ELSE character_maximum_length END "
            "FROM information_schema.columns WHERE table_schema = coalesce(%s, database()) AND table_name = %s",
            _named(table),
        )
        return {
            name: Column(
                name=name,
                is_text=charset is not None,
                is_needed=nullable == "NO" and default is None and "auto_increment" not in extra,
                max_chars=int(chars or 0),
            )
            for name, charset, nullable, default, extra, chars in rows
        }

    def unique(self, connection: Connection, table: str) -> frozenset[str]:
        rows = self.execute(
            connection,
            "SELECT max(column_name) FROM information_schema.statistics "
            "WHERE table_schema = coalesce(%s, database()) AND table_name = %s AND non_unique = 0 "
            "GROUP BY index_name HAVING count(*) = 1 AND max(sub_part) IS NULL",
            _named(table),
        )
        return frozenset(name for (name,) in rows)

    def examine(self, connection: Connection, table: str, columns: Iterable[str]) -> None:
        rows = self.execute(
            connection,
            "SELECT engine, column_name, character_set_name FROM information_schema.tables "
            "JOIN information_schema.columns USING (table_schema, table_name) "
            "WHERE table_schema = coalesce(%s, database()) AND table_name = %s",
            _named(table),
        )
        wanted = set(columns)
        for engine, name, charset in rows:
            if str(engine).lower() in _WITHOUT_TRANSACTIONS:
                raise ConfigError(f'table "{table}" is {engine}, without transactions: ALTER TABLE … ENGINE=InnoDB')
            if name in wanted and charset not in {None, "utf8mb4", "ascii"}:
                raise ConfigError(
                    f'column "{table}.{name}" is in {charset}: emoji need utf8mb4 (ALTER TABLE … CONVERT)'
                )

    def judge(self, error: Exception) -> AllearsError:
        number, words = _number(error), _words(error)
        if number in _ACCESS:
            return AuthError(words)
        if number in _SETTINGS:
            return ConfigError(words)
        if number in _VALUES or isinstance(error, UnicodeEncodeError):
            return Rejected(words)
        return Unavailable(words)

    def has_refused(self, error: Exception) -> bool:
        return 0 < _number(error) < _FIRST_OF_CLIENT and _number(error) not in _BROKEN

    def is_alive(self, connection: Connection) -> bool:
        return bool(connection.open)

    def instant(self, at: datetime) -> str:
        return at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")

    def create_statement(self, table: Table) -> str:
        return f"{super().create_statement(table)} ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4"

    def _set(self, connection: Connection) -> None:
        """Nothing is cut or turned into question marks silently; a session's own, so not behind a pooling proxy."""
        self.execute(
            connection,
            "SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_ZERO_DATE', "
            f"time_zone = '+00:00', innodb_lock_wait_timeout = {self._wait_seconds}",
        )
        self.execute(connection, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def _tls(self) -> dict[str, Any]:
        settings = self._settings
        if settings.tls == "prefer":
            return {}
        context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
        if settings.tls == "require":
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return {"ssl": context}

    def _cannot_connect(self, error: Exception) -> AllearsError:
        if isinstance(error, ssl.SSLError) or "SSL" in str(error) or "certificate" in str(error).lower():
            return ConfigError(_words(error))
        return self.judge(error)


def _named(table: str) -> list[str | None]:
    schema, _, name = table.rpartition(".")
    return [schema or None, name]


def _number(error: Exception) -> int:
    number = error.args[0] if error.args else 0
    return number if isinstance(number, int) else 0


def _words(error: Exception) -> str:
    """The server's words without the values they repeat."""
    words = str(error.args[1] if len(error.args) > 1 else error)
    return words.strip().splitlines()[0][:500] if words.strip() else type(error).__name__
