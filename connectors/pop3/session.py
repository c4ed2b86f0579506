"""One POP3 session: the maildrop as it was when it was opened. Everything here blocks and runs in the pool, one call
at a time; only `kill` comes from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from allears_sdk.errors import AllearsError, ConfigError, Unavailable
from allears_sdk.mail.wire import Wire
from connectors._mail.raw import header_block
from connectors.pop3.client import Client, Negative
from connectors.pop3.faults import Refused, login_failed, translate
from connectors.pop3.settings import Pop3Settings

P = ParamSpec("P")
R = TypeVar("R")

MAX_HEADER_BYTES = 4 << 20
MAX_LISTING_BYTES = 64 << 20
SLACK_BYTES = 1 << 20
"""Some servers count a mail's size before they put in headers of their own."""


class Session:
    """Logged in from `open` to `quit`. What was marked for deletion is deleted by `quit`, and by nothing else."""

    def __init__(self, settings: Pop3Settings) -> None:
        self._settings = settings
        self._wire = Wire(settings.endpoint)
        self.client = Client(self._wire)
        self.capabilities: frozenset[str] = frozenset()
        self.has_uidl = False
        self._has_top = True

    def run(self, function: Callable[Concatenate[Session, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `function(self, *args)`; only SDK errors come out. Dead afterwards unless the server merely refused."""
        try:
            return self._wire.run(function, self, *args, **kwargs)
        except Refused:
            raise
        except AllearsError:
            self.kill()
            raise
        except Exception as error:
            fault = translate(error, self._settings.host)
            if not isinstance(fault, Refused):
                self.kill()
            raise fault from None

    def kill(self) -> None:
        self._wire.kill()

    @property
    def is_dead(self) -> bool:
        return self._wire.dead

    def open(self) -> None:
        """Connect, encrypt, log in. Raises AuthError, ConfigError, RetryLater, Unavailable."""
        settings = self._settings
        try:
            self._wire.connect()
            self.client.greet()
            if settings.tls == "starttls":
                self._start_tls()
            self._log_in()
        except Negative as error:
            raise login_failed(error, settings.host) from None
        self.capabilities = self.client.capabilities()
        self.has_uidl = settings.identify == "uidl" and self._answers_uidl()

    def _start_tls(self) -> None:
        if "STLS" not in self.client.capabilities():
            raise ConfigError(f'{self._settings.host} has no STLS on this port; is tls = "implicit" meant?')
        self.client.command("STLS")
        self._wire.encrypt()

    def _log_in(self) -> None:
        """A greeting that refuses us was taken for a refused login as well: its words decide."""
        self.client.command(f"USER {self._settings.username}")
        self.client.command(f"PASS {self._settings.password.get_secret_value()}")

    def _answers_uidl(self) -> bool:
        """CAPA is optional and often incomplete: the server is asked."""
        count, _ = self.stat()
        if not count:
            return True
        try:
            return bool(self.uid(count))
        except Negative as error:
            if isinstance(translate(error, self._settings.host), Refused):
                return False
            raise

    # Listing

    def stat(self) -> tuple[int, int]:
        """How many mails, and their bytes in all."""
        count, size, *_ = _numbers(self.client.command("STAT"), 2)
        return count, size

    def sizes(self) -> dict[int, int]:
        """Number → bytes, of every mail."""
        return dict(_pair(line) for line in self._listing("LIST"))

    def size(self, number: int) -> int:
        return _numbers(self.client.command(f"LIST {number}"), 2)[1]

    def uids(self) -> dict[int, str]:
        """Number → the server's id, of every mail."""
        found: dict[int, str] = {}
        for line in self._listing("UIDL"):
            number, _, uid = line.partition(" ")
            if not number.isdecimal() or not uid.strip():
                raise Unavailable("the server's UIDL makes no sense", detail=line[:100])
            found[int(number)] = uid.strip()
        return found

    def uid(self, number: int) -> str:
        """The server's id of one mail, "" when the answer holds none."""
        return self.client.command(f"UIDL {number}").partition(" ")[2].strip()

    def _listing(self, command: str) -> list[str]:
        text = self.client.text(command, MAX_LISTING_BYTES)
        return [line.strip() for line in text.decode("utf-8", "replace").splitlines() if line.strip()]

    # Reading

    def header(self, number: int, size: int) -> bytes:
        """The header with the empty line that ends it. A server without TOP hands over the whole mail."""
        if self._has_top:
            try:
                return header_block(self.client.text(f"TOP {number} 0", MAX_HEADER_BYTES))
            except Negative as error:
                if not isinstance(translate(error, self._settings.host), Refused) or "TOP" in self.capabilities:
                    raise
                self._has_top = False
        return header_block(self.mail(number, size))

    def mail(self, number: int, size: int) -> bytes:
        """All bytes of it; at most about `size`, which LIST told."""
        return self.client.text(f"RETR {number}", size + size // 2 + SLACK_BYTES)

    # Afterwards

    def delete(self, numbers: list[int]) -> list[int]:
        """Mark for deletion; those that the server refused to mark."""
        refused: list[int] = []
        for number in numbers:
            try:
                self.client.command(f"DELE {number}")
            except Negative as error:
                if not isinstance(translate(error, self._settings.host), Refused):
                    raise
                refused.append(number)
        return refused

    def quit(self) -> None:
        """Delete what is marked, and hang up. Lost in the middle it deletes all, some or nothing. Raises Refused
        when the server says that it could not delete."""
        self.client.command("QUIT")


def _numbers(text: str, count: int) -> list[int]:
    words = text.split()[:count]
    if len(words) < count or not all(word.isdecimal() for word in words):
        raise Unavailable("the server's answer makes no sense", detail=text[:100])
    return [int(word) for word in words]


def _pair(line: str) -> tuple[int, int]:
    number, size, *_ = _numbers(line, 2)
    return number, size
