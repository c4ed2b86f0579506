"""RabbitMQ on loopback, from Debian's package: unprivileged, with an epmd and a folder of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from bench.servers import process
from bench.servers.unprivileged import Home

if TYPE_CHECKING:
    from aio_pika.abc import AbstractConnection

SCRIPTS = Path("/usr/lib/rabbitmq/bin")
USER, PASSWORD = "allears", "kefu-Pa55-word"
CONFIGURATION = f"""\
default_user = {USER}
default_pass = {PASSWORD}
log.console = true
log.console.level = warning
log.file = false
disk_free_limit.absolute = 1MB
"""


class RabbitMq:
    """`with RabbitMq() as server`: then `server.url`. A stop and a start keep durable queues and what is in them."""

    def __init__(self) -> None:
        self.port = process.free_port()
        self.url = f"amqp://{process.LOOPBACK}:{self.port}/"
        self._epmd_port, self._node_port = process.free_port(), process.free_port()
        self._home = Home("rabbitmq")
        self._epmd: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program() -> str | None:
        """Where it is installed, or None."""
        return shutil.which("rabbitmq-server", path=str(SCRIPTS))

    def start(self) -> None:
        program = self.program()
        if program is None:
            raise RuntimeError("rabbitmq-server is not installed")
        (self._home.path / "rabbitmq.conf").write_text(CONFIGURATION)
        (self._home.path / "plugins").write_text("[].\n")
        if self._epmd is None:
            command = ["epmd", "-port", str(self._epmd_port), "-address", process.LOOPBACK]
            self._epmd = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._process = process.start(
            [program], self._home.path / "output.log", self.port, user=self._home.user, is_ready=_is_ready,
            environment=self._environment(), folder=self._home.path, seconds=90,
        )  # fmt: skip

    def stop(self) -> None:
        if self._process is not None:
            process.stop(self._process)
            self._process = None
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None

    def kill(self) -> None:
        """As a machine that loses its power."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def control(self, *command: str) -> str:
        """What `rabbitmqctl` says."""
        user = self._home.user
        done = subprocess.run(
            [str(SCRIPTS / "rabbitmqctl"), "--quiet", *command],
            check=True,
            capture_output=True,
            text=True,
            cwd=self._home.path,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            env={**os.environ, **self._environment()},
        )
        return done.stdout.strip()

    async def connect(self) -> AbstractConnection:
        """A connection of the test's own."""
        import aio_pika

        return await aio_pika.connect(self.url.replace("://", f"://{USER}:{PASSWORD}@"))

    def _environment(self) -> dict[str, str]:
        home = self._home.path
        return {
            "HOME": str(home),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": process.LOOPBACK,
            "RABBITMQ_NODENAME": f"allears-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": process.LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_CONF_ENV_FILE": str(home / "no-environment"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
        }

    def __enter__(self) -> RabbitMq:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def _is_ready(port: int) -> bool:
    """Answers the protocol's greeting, once it has booted."""
    with contextlib.suppress(OSError), socket.create_connection((process.LOOPBACK, port), 1) as sock:
        sock.settimeout(10)
        sock.sendall(b"AMQP\x00\x00\x09\x01")
        return bool(sock.recv(1))
    return False
