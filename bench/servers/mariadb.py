"""MariaDB on loopback, from Debian's package: unprivileged, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

import pymysql
from pymysql.cursors import Cursor

from bench.servers import process
from bench.servers.unprivileged import Home

PASSWORD = "kefu-Pa55-word"
PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


class MariaDb:
    """`with MariaDb() as server`: then `server.database(name)`. A stop and a start keep what is in it."""

    def __init__(self, *, durable: bool = False, options: tuple[str, ...] = ()) -> None:
        """`durable`: as in production; else commits do not wait for the disk."""
        self.port = process.free_port()
        self._options = [*options, f"--innodb-flush-log-at-trx-commit={1 if durable else 0}"]
        self._home = Home("mariadb")
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program() -> str | None:
        """Where it is installed, or None."""
        return shutil.which("mariadbd", path=PLACES)

    def connect(self, database: str | None = None) -> pymysql.Connection[Cursor]:
        """A connection of the test's own, each statement committed at once."""
        return pymysql.connect(
            host=process.LOOPBACK, port=self.port, user="allears", password=PASSWORD, database=database,
            charset="utf8mb4", autocommit=True,
        )  # fmt: skip

    def execute(self, statement: str, database: str | None = None) -> tuple[Any, ...]:
        with self.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return tuple(cursor.fetchall())

    def database(self, name: str) -> str:
        """An empty database of this name; its address."""
        self.execute(f"DROP DATABASE IF EXISTS `{name}`")
        self.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        return f"mysql://allears@{process.LOOPBACK}:{self.port}/{name}"

    def start(self) -> None:
        program = self.program()
        if program is None:
            raise RuntimeError("mariadb-server is not installed")
        data = self._home.path / "data"
        is_new = not data.exists()
        if is_new:
            self._initialise()
        command = [
            program, "--no-defaults", f"--datadir={data}", f"--port={self.port}", f"--bind-address={process.LOOPBACK}",
            f"--socket={self._socket}", f"--pid-file={self._home.path}/pid", f"--tmpdir={self._home.path}",
            "--innodb-buffer-pool-size=32M", "--skip-name-resolve", *self._options,
        ]  # fmt: skip
        log = self._home.path / "mariadb.log"
        self._process = process.start(command, log, self.port, user=self._home.user)
        if is_new:
            self._make_user()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            process.stop(self._process)
            self._process = None

    @property
    def _socket(self) -> str:
        return str(self._home.path / "socket")

    def _initialise(self) -> None:
        user = self._home.user
        subprocess.run(
            [
                "mariadb-install-db", "--no-defaults", f"--datadir={self._home.path / 'data'}", "--skip-test-db",
                "--auth-root-authentication-method=normal", f"--tmpdir={self._home.path}",
            ],
            check=True,
            capture_output=True,
            cwd=self._home.path,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            env={**os.environ, "PATH": PLACES, "HOME": str(self._home.path)},
        )  # fmt: skip

    def _make_user(self) -> None:
        with pymysql.connect(unix_socket=self._socket, user="root") as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE USER allears@'%' IDENTIFIED BY '{PASSWORD}'")
            cursor.execute("GRANT ALL ON *.* TO allears@'%' WITH GRANT OPTION")

    def __enter__(self) -> MariaDb:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
