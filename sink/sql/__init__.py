"""Tables of a database: SQLite, PostgreSQL, MySQL and MariaDB."""

from sink.sql.settings import SqlSettings
from sink.sql.sink import SqlSink

__all__ = ["SqlSettings", "SqlSink"]
