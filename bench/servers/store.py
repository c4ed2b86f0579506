"""A real ticket store in a process of its own, in a folder of its own, on a free port of loopback."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, ClassVar
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import httpx

from bench.servers import process

TIMEOUT_SECONDS = 60


class StoreProcess:
    """`with Roundup() as store`: a fresh one; a stop and a start keep what it holds."""

    NAME: ClassVar[str]
    START_SECONDS: ClassVar[float] = 60

    def __init__(self) -> None:
        self.port = process.free_port()
        self.url = f"http://{process.LOOPBACK}:{self.port}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.NAME}-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make what `command` needs; called before each start."""

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        return {}

    def working_folder(self) -> Path:
        """Where it runs."""
        return Path.cwd()

    def start(self) -> None:
        self.prepare()
        self._process = process.start(
            self.command(),
            self.folder / "output.log",
            self.port,
            is_ready=process.serves,
            environment=self.environment(),
            folder=self.working_folder(),
            seconds=self.START_SECONDS,
        )

    def stop(self) -> None:
        if self._process is not None:
            process.stop(self._process)
            self._process = None

    def log(self) -> str:
        return (self.folder / "output.log").read_text(errors="replace")

    async def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One call at `path` under `url`, with httpx's arguments; any answer is an answer."""
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            return await client.request(method, self.url + path, **request)

    def run(self, *command: str) -> str:
        """A command to its end in the store's environment; what it said. Raises RuntimeError with its words."""
        done = subprocess.run(
            command,
            env={**os.environ, **self.environment()},
            cwd=self.working_folder(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stdout[-1000:]} {done.stderr[-2000:]}")
        return done.stdout

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it so)
        return


def serve_wsgi(application: Any, port: int) -> None:
    """Serve a store written in Python until the process is ended: a thread for each request, no keep-alive; bodies are
    read whole first, as the usual web servers in front of it do."""

    def buffered(environ: dict[str, Any], start_response: Any) -> Any:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
        return application(environ, start_response)

    with _Server((process.LOOPBACK, port), _Quiet) as server, contextlib.suppress(KeyboardInterrupt):
        server.set_app(buffered)
        server.serve_forever()
