"""Object storage on loopback: moto's server in a process of its own, with one bucket."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.servers import process

if TYPE_CHECKING:
    from obstore.store import S3Credential, S3Store

BUCKET = "complaints"


class S3:
    """`with S3() as server`: then `server.url`. What is in it ends with its process."""

    def __init__(self) -> None:
        self.port = process.free_port()
        self.url = f"http://{process.LOOPBACK}:{self.port}"
        self._folder = Path(tempfile.mkdtemp(prefix="s3-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "moto.server", "-H", process.LOOPBACK, "-p", str(self.port)]
        self._process = process.start(command, self._folder / "moto.log", self.port, is_ready=process.serves)
        self.clear()

    def stop(self) -> None:
        if self._process is not None:
            process.stop(self._process)
            self._process = None

    def clear(self) -> None:
        """One bucket, and nothing in it."""
        self._ask("POST", "/moto-api/reset")
        self._ask("PUT", f"/{BUCKET}")

    def objects(self) -> dict[str, bytes]:
        """Name → content of all that is there."""
        import obstore

        store = self._store()
        names = [one["path"] for chunk in obstore.list(store) for one in chunk]
        return {name: bytes(obstore.get(store, name).bytes()) for name in names}

    def put(self, name: str, content: bytes) -> None:
        import obstore

        obstore.put(self._store(), name, content)

    def media_type(self, name: str) -> str:
        import obstore

        return str(obstore.get(self._store(), name).attributes.get("Content-Type", ""))

    def events(self) -> list[dict[str, Any]]:
        """What the events among the objects say."""
        return [json.loads(content) for name, content in sorted(self.objects().items()) if name.endswith(".json")]

    def _store(self) -> S3Store:
        from obstore.store import S3Store

        return S3Store(
            BUCKET,
            endpoint=self.url,
            region="us-east-1",
            credential_provider=_nobody,
            client_options={"allow_http": True},
        )

    def _ask(self, method: str, path: str) -> None:
        with contextlib.closing(http.client.HTTPConnection(process.LOOPBACK, self.port, timeout=10)) as connection:
            connection.request(method, path)
            answer = connection.getresponse()
            if answer.status != http.HTTPStatus.OK:
                raise RuntimeError(f"{method} {path}: {answer.status} {answer.read()[:200]!r}")

    def __enter__(self) -> S3:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def _nobody() -> S3Credential:
    """moto checks no signature."""
    return {"access_key_id": "test", "secret_access_key": "test", "token": None, "expires_at": None}
