"""A server process that is ready when its port answers."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether a server that speaks first has spoken."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1) as sock:
        sock.settimeout(5)
        return bool(sock.recv(1))
    return False


def serves(port: int) -> bool:
    """Whether a web server answers, whatever it says."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1) as sock:
        sock.settimeout(10)
        sock.sendall(b"GET / HTTP/1.0\r\nHost: %s:%d\r\n\r\n" % (LOOPBACK.encode(), port))
        return sock.recv(5) == b"HTTP/"
    return False


def start(
    command: Sequence[str],
    log: Path,
    port: int,
    *,
    user: pwd.struct_passwd | None = None,
    is_ready: Callable[[int], bool] = answers,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: float = 20,
) -> subprocess.Popen[bytes]:
    """Start `command` in a process group of its own and wait until `port` answers. Raises RuntimeError with its log.

    `environment` comes on top of ours, `folder` is where it runs."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, **environment} if environment else None,
            cwd=folder,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
    deadline = time.monotonic() + seconds
    while not is_ready(port):
        if process.poll() is not None or time.monotonic() > deadline:
            stop(process)
            raise RuntimeError(f"{command[0]} did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3)
            return
