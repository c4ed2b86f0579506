"""Cyrus on loopback: unprivileged, its HTTP server with JMAP and its IMAP server to put mails in.

Debian's package shuts out Dovecot's. Where both are wanted, cyrus-imapd, cyrus-common, cyrus-caldav, sasl2-bin and the
libraries they ask for are unpacked (`dpkg -x`) into a folder that the environment variable CYRUS_PREFIX names.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imapclient import IMAPClient

from bench.servers import process

PASSWORD = "kefu-Pa55-word"
ADMIN = "cyrus"

CONFIGURATION = """\
configdirectory: {base}/conf
partition-default: {base}/spool
defaultpartition: default
search_engine: none
conversations: 1
conversations_db: twoskip
httpmodules: jmap
admins: cyrus
cyrus_user: {user}
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {base}/sasldb2
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
virtdomains: off
altnamespace: on
unixhierarchysep: on
servername: localhost
idlesocket: {base}/idle
"""

SERVICES = """\
START {{
}}
SERVICES {{
  http cmd="{programs}/httpd -C {base}/imapd.conf" listen="127.0.0.1:{http_port}" prefork=1
  imap cmd="{programs}/imapd -C {base}/imapd.conf" listen="127.0.0.1:{imap_port}" prefork=1
}}
EVENTS {{
}}
"""


class Cyrus:
    """`with Cyrus() as server`; each user is made with `add_user` and has an INBOX."""

    def __init__(self) -> None:
        self._prefix = Path(os.environ.get("CYRUS_PREFIX", "/"))
        self._programs = self._prefix / "usr/lib/cyrus/bin"
        self._process: subprocess.Popen[bytes] | None = None
        self.host, self.http_port, self.imap_port = process.LOOPBACK, process.free_port(), process.free_port()
        self.password = PASSWORD
        self._base = Path()

    @staticmethod
    def is_installed() -> bool:
        prefix = Path(os.environ.get("CYRUS_PREFIX", "/"))
        return (prefix / "usr/lib/cyrus/bin/httpd").exists() and (prefix / "usr/sbin/saslpasswd2").exists()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.http_port}"

    def __enter__(self) -> Cyrus:
        self._base = Path(tempfile.mkdtemp(prefix="cyrus-"))  # its socket paths must stay short
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        for name in ("conf", "spool"):
            (self._base / name).mkdir()
        given = {"base": self._base, "user": user.pw_name, "programs": self._programs}
        given |= {"http_port": self.http_port, "imap_port": self.imap_port}
        (self._base / "imapd.conf").write_text(CONFIGURATION.format(**given))
        (self._base / "cyrus.conf").write_text(SERVICES.format(**given))
        self._set_password(ADMIN)
        if os.geteuid() == 0:
            for path in (self._base, *self._base.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid)
        files = [*("-C", f"{self._base}/imapd.conf"), *("-M", f"{self._base}/cyrus.conf"), *("-p", f"{self._base}/pid")]
        command = ["env", f"LD_LIBRARY_PATH={self._libraries()}", f"{self._programs}/master", *files]
        as_user = user if os.geteuid() == 0 else None
        self._process = process.start(command, self._base / "output.log", self.imap_port, user=as_user)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            process.stop(self._process)
        shutil.rmtree(self._base, ignore_errors=True)

    def add_user(self, user: str, *folders: str) -> None:
        self._set_password(user)
        with self.client(ADMIN) as client:
            for name in ("", *(f"/{folder}" for folder in folders)):
                client.create_folder(f"user/{user}{name}")

    @contextmanager
    def client(self, user: str) -> Iterator[Any]:
        with IMAPClient(self.host, self.imap_port, ssl=False, timeout=10) as client:
            client.login(user, self.password)
            yield client

    def _set_password(self, user: str) -> None:
        subprocess.run(
            [self._prefix / "usr/sbin/saslpasswd2", "-p", "-c", "-f", self._base / "sasldb2", "-u", "localhost", user],
            input=self.password.encode(),
            env={**os.environ, "LD_LIBRARY_PATH": self._libraries()},
            check=True,
        )

    def _libraries(self) -> str:
        here = self._prefix
        return f"{here}/usr/lib/x86_64-linux-gnu:{here}/usr/lib/cyrus:{here}/lib/x86_64-linux-gnu"
