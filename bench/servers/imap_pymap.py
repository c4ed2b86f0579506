"""pymap: an IMAP server in pure Python, its mails in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.servers import process

# Its password hash takes 0.1 s a login; these passwords are nobody's.
PROGRAM = """
from pymap import config, main
from pysasl.hashing import Cleartext
config.IMAPConfig._get_hash_context = classmethod(lambda cls, path: Cleartext())
main.main()
"""


class Pymap:
    """`with Pymap(folder) as server`: one user with an empty INBOX, until it ends."""

    def __init__(self, folder: Path, *, password: str = "kefu-Pa55-word") -> None:
        self.host, self.port = process.LOOPBACK, process.free_port()
        self.user, self.password = "kefu@example.com", password
        self._log = folder / "pymap.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--host", self.host, "--port", str(self.port), "--no-service", "admin", "--no-tls"]
        backend = ["dict", "--demo-user", self.user, "--demo-password", self.password]
        command = [sys.executable, "-W", "ignore", "-c", PROGRAM, *options, *backend]
        self._process = process.start(command, self._log, self.port)

    def stop(self) -> None:
        if self._process is not None:
            process.stop(self._process)
            self._process = None

    def __enter__(self) -> Pymap:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
