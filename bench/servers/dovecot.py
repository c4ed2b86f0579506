"""Dovecot on loopback: unprivileged, Maildir in a folder of its own, any user with one password."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import subprocess
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path

from bench.servers import process

CONFIGURATION = """\
base_dir = {run}
state_dir = {run}
log_path = {base}/dovecot.log
protocols = {protocols}
listen = 127.0.0.1
ssl = {ssl}
{certificate}
disable_plaintext_auth = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
default_client_limit = {clients}
default_process_limit = {clients}
mail_location = maildir:{base}/mail/%u
mail_max_userip_connections = {connections}
mail_fsync = {fsync}
mailbox_list_index = yes
first_valid_uid = 1
first_valid_gid = 1
{capability}
{oauth}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={base}/home/%u
}}
service auth {{
  client_limit = {anvil}
}}
service anvil {{
  chroot =
  client_limit = {anvil}
}}
service stats {{
  chroot =
}}
service imap {{
  process_limit = {clients}
}}
service imap-login {{
  chroot =
  service_count = 0
  client_limit = {clients}
  process_min_avail = 1
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
{pop3}
"""

POP3 = """\
service pop3-login {{
  chroot =
  service_count = 0
  client_limit = {clients}
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = {pop3_tls_port}
    ssl = yes
  }}
}}
"""

OAUTH = """\
auth_mechanisms = plain login xoauth2
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {file}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """What a test or benchmark turns."""

    password: str = "kefu-Pa55-word"
    connections: int = 50
    """Per user and address; one more is refused."""
    clients: int = 1000
    fsync: str = "never"
    certificate: Path | None = None
    """PEM with certificate and key: TLS on `tls_port`, STARTTLS on `port`."""
    capability: str = ""
    """Capabilities to announce instead of its own, as "IMAP4rev1 LITERAL+ ID"."""
    introspection_url: str = ""
    """Takes access tokens too (XOAUTH2): a GET there with the token as Bearer answers
    `{"active": true, "email": user}` (RFC 7662)."""
    inotify_instances: int | None = None
    """Raise `fs.inotify.max_user_instances` to this while it runs (as root): one per idle mailbox."""
    pop3: bool = False
    """Listen for POP3 too, on `pop3_port`, with a certificate also on `pop3_tls_port`."""


class Dovecot:
    """`with Dovecot() as server`: any user name, each with an INBOX of its own, kept over a stop and a start.

    It lies in a folder of its own: each new session of pytest makes the folders of all others private again.
    """

    def __init__(self, knobs: Knobs | None = None) -> None:
        self.knobs = knobs or Knobs()
        self.host, self.port, self.tls_port = process.LOOPBACK, process.free_port(), process.free_port()
        self.pop3_port, self.pop3_tls_port = process.free_port(), process.free_port()
        self.password = self.knobs.password
        self._base = Path(tempfile.mkdtemp(prefix="dovecot-"))  # short: its socket paths must stay below 108 bytes
        weakref.finalize(self, shutil.rmtree, self._base, ignore_errors=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._inotify_before: str | None = None

    @staticmethod
    def program() -> str | None:
        """Where it is installed, or None."""
        return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

    def start(self) -> None:
        program = self.program()
        if program is None:
            raise RuntimeError("dovecot is not installed")
        user = _unprivileged()
        self._make_folders(user)
        configuration = self._base / "dovecot.conf"
        configuration.write_text(self._configuration(user))
        configuration.chmod(0o644)
        self._raise_inotify()
        as_user = user if os.geteuid() == 0 else None
        command = [program, "-F", "-c", str(configuration)]
        self._process = process.start(command, self._base / "output.log", self.port, user=as_user)

    def stop(self) -> None:
        if self._process is not None:
            process.stop(self._process)
            self._process = None
        if self._inotify_before is not None:
            _INOTIFY.write_text(self._inotify_before)
            self._inotify_before = None

    @property
    def pid(self) -> int:
        """Of its master process. Raises RuntimeError when it does not run."""
        if self._process is None:
            raise RuntimeError("dovecot does not run")
        return self._process.pid

    @staticmethod
    def has_pop3() -> bool:
        """Whether its POP3 server is installed."""
        return Path("/usr/lib/dovecot/pop3").exists()

    def maildir(self, user: str) -> Path:
        """The user's INBOX on disk."""
        return self._base / "mail" / user

    def log(self) -> str:
        return (self._base / "dovecot.log").read_text(errors="replace")

    def _make_folders(self, user: pwd.struct_passwd) -> None:
        for name in ("mail", "home", "run"):
            (self._base / name).mkdir(exist_ok=True)
        (self._base / "output.log").touch()
        if self.knobs.certificate:
            shutil.copy(self.knobs.certificate, self._base / "certificate.pem")
        if os.geteuid() == 0:
            for path in (self._base, *self._base.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid)

    def _configuration(self, user: pwd.struct_passwd) -> str:
        knobs, certificate = self.knobs, self._base / "certificate.pem" if self.knobs.certificate else None
        return CONFIGURATION.format(
            base=self._base,
            run=self._base / "run",
            user=user.pw_name,
            group=grp.getgrgid(user.pw_gid).gr_name,
            ssl="yes" if certificate else "no",
            certificate=f"ssl_cert = <{certificate}\nssl_key = <{certificate}" if certificate else "",
            capability=f"imap_capability = {knobs.capability}" if knobs.capability else "",
            oauth=self._oauth(),
            port=self.port,
            tls_port=self.tls_port if certificate else 0,
            password=knobs.password,
            connections=knobs.connections,
            clients=knobs.clients,
            anvil=knobs.clients * 3 + 100,
            fsync=knobs.fsync,
            protocols="imap pop3" if knobs.pop3 else "imap",
            pop3=self._pop3() if knobs.pop3 else "",
        )

    def _pop3(self) -> str:
        tls_port = self.pop3_tls_port if self.knobs.certificate else 0
        return POP3.format(clients=self.knobs.clients, pop3_port=self.pop3_port, pop3_tls_port=tls_port)

    def _oauth(self) -> str:
        if not self.knobs.introspection_url:
            return ""
        file = self._base / "oauth2.conf"
        lines = ("introspection_mode = auth", f"introspection_url = {self.knobs.introspection_url}")
        file.write_text("\n".join((*lines, "active_attribute = active", "active_value = true", "")))
        file.chmod(0o644)
        return OAUTH.format(file=file)

    def _raise_inotify(self) -> None:
        if self.knobs.inotify_instances is None:
            return
        with contextlib.suppress(OSError):
            before = _INOTIFY.read_text()
            _INOTIFY.write_text(str(max(int(before), self.knobs.inotify_instances)))
            self._inotify_before = before

    def __enter__(self) -> Dovecot:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")


def _unprivileged() -> pwd.struct_passwd:
    """Who runs it: never root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
