"""One mail handed to a mail server (RFC 6409), step by step. Up to the last dot nothing was sent; what is lost after
it may have been. Blocking.

smtplib sends text and last dot in one call and does not tell at which of them a connection was lost.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.mail.submission import Outgoing
from allears_sdk.mail.wire import Wire, why_lost
from allears_sdk.mail.xoauth2 import Xoauth2

LAST_ANSWER_SECONDS = 75.0
"""After the last dot servers look for spam and viruses. RFC 5321 would wait for ten minutes; an answer that takes
longer than this is in doubt."""
BUSY_SECONDS = 60.0
_MAX_LINE_BYTES = 4096
_MAX_LINES = 200
_LOGIN_WANTED = 530
_DOT = re.compile(rb"(?m)^\.")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class TokenRefused(AuthError):
    """The server refused the access token."""


class RecipientRefused(Rejected):
    """The server takes no mail for this address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    recipients: Sequence[str]
    content: Callable[[bool], bytes]
    """By whether bounces come to us."""


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    lines: tuple[str, ...]

    @property
    def words(self) -> str:
        return " ".join((str(self.code), *self.lines))[:300]


class Garbled(Exception):
    """What came is no answer."""


def submit(wire: Wire, settings: Outgoing, token: str, mail: Mail | None) -> None:
    """Log in and hand over; without a mail just log in. Raises as `Connector.reply` does, and TokenRefused."""
    dialogue = _Dialogue(wire, settings)
    try:
        dialogue.open()
        dialogue.log_in(token)
        if mail is not None:
            dialogue.announce(mail)
    except (OSError, UnicodeError, Garbled) as error:
        raise Unavailable(_lost(error, settings), detail=f"{type(error).__name__}: {error}"[:300]) from error
    if mail is not None:
        dialogue.finish()
    dialogue.leave()


class _Dialogue:
    """Raises OSError and Garbled up to `finish`."""

    def __init__(self, wire: Wire, settings: Outgoing) -> None:
        self._wire = wire
        self._settings = settings
        self._place = _place(settings)
        self._extensions: dict[str, str] = {}

    def open(self) -> None:
        self._wire.connect()
        greeting = self._answer()
        if greeting.code != 220:
            raise self._refused(greeting, Unavailable(f"{self._place} takes no mail now", detail=greeting.words))
        self._hello()
        if self._settings.endpoint.tls == "starttls":
            self._start_tls()

    def log_in(self, token: str) -> None:
        settings, offered = self._settings, self._extensions.get("AUTH", "").upper().split()
        if not (settings.password or token) or not (offered or settings.must_log_in):
            return
        if token and "XOAUTH2" in offered:
            self._by_token(token)
        elif token:
            raise ConfigError(f"{self._place} takes no access tokens: set smtp.username and smtp.password")
        elif "PLAIN" in offered:
            login = f"\0{settings.username}\0{settings.password}".encode()
            self._check_login(self._command(f"AUTH PLAIN {_base64(login)}"))
        elif "LOGIN" in offered:
            self._by_dialogue()
        else:
            named = " ".join(offered) or "none"
            raise ConfigError(f"{self._place} offers no login that we know (it offers: {named}); is the port right?")

    def announce(self, mail: Mail) -> None:
        """All but the last dot."""
        bounces = self._mail_from()
        for recipient in mail.recipients:
            answer = self._command(f"RCPT TO:<{recipient}>")
            if answer.code not in (250, 251):
                what = f"{self._place} refuses this recipient: {answer.words}"
                raise self._refused(answer, RecipientRefused(what, detail=recipient))
        self._require(self._command("DATA"), (354,), "this mail")
        content = mail.content(bounces)
        self._wire.send(_DOT.sub(b"..", content.removesuffix(b"\r\n") + b"\r\n"))

    def finish(self) -> None:
        """The last dot: from here on a lost answer is doubt."""
        try:
            self._wire.wait_up_to(LAST_ANSWER_SECONDS)
            self._wire.send(b".\r\n")
            answer = self._answer()
        except (OSError, Garbled, Unavailable) as error:
            lost = f"{type(error).__name__}: {error}"[:300]
            raise InDoubt(f"{self._place} did not say whether it took the mail", detail=lost) from error
        self._require(answer, range(200, 300), "this mail")

    def leave(self) -> None:
        """Whatever happens now changes nothing."""
        try:
            self._wire.wait_up_to(2)
            self._command("QUIT")
        except (OSError, Garbled, AllearsError):
            return

    def _hello(self) -> None:
        answer = self._command(f"EHLO {self._settings.sender.domain}")
        if answer.code != 250:
            answer = self._command(f"HELO {self._settings.sender.domain}")
        if answer.code != 250:
            raise self._refused(answer, Unavailable(f"{self._place} takes no greeting", detail=answer.words))
        named = (line.replace("=", " ").partition(" ") for line in answer.lines[1:])
        self._extensions = {name.upper(): rest for name, _, rest in named}

    def _start_tls(self) -> None:
        if "STARTTLS" not in self._extensions:
            raise ConfigError(f'{self._place} has no STARTTLS on this port: smtp.tls = "implicit", port 465?')
        answer = self._command("STARTTLS")
        if answer.code != 220:
            raise self._refused(answer, Unavailable(f"{self._place} begins no TLS", detail=answer.words))
        self._wire.encrypt()
        self._hello()

    def _by_token(self, token: str) -> None:
        by_token = Xoauth2(self._settings.username, token)
        answer = self._command(f"AUTH XOAUTH2 {_base64(by_token(b''))}")
        if answer.code == 334:
            answer = self._command(_base64(by_token(b"refused")))
        if 500 <= answer.code < 600:
            raise TokenRefused(f"{self._place} refused the access token", detail=answer.words)
        self._check_login(answer)

    def _by_dialogue(self) -> None:
        answer = self._command("AUTH LOGIN")
        for words in (self._settings.username, self._settings.password):
            if answer.code == 334:
                answer = self._command(_base64(words.encode()))
        self._check_login(answer)

    def _check_login(self, answer: Answer) -> None:
        if answer.code != 235:
            what = f"{self._place} refused the login for sending; a mailbox may need an authorisation code here too"
            raise self._refused(answer, AuthError(what, detail=answer.words))

    def _mail_from(self) -> bool:
        """Whether the envelope names us: where it must, or the server takes no empty one."""
        if not self._settings.bounces_to_sender:
            answer = self._command("MAIL FROM:<>")
            if answer.code == 250:
                return False
            if answer.code < 500:
                raise self._refused(answer, Unavailable(detail=answer.words))
        answer = self._command(f"MAIL FROM:<{self._settings.sender.address}>")
        if answer.code == _LOGIN_WANTED:
            raise AuthError(f"{self._place} wants a login: set smtp.username and smtp.password", detail=answer.words)
        if answer.code != 250:
            what = f"{self._place} takes no mail from {self._settings.sender.address}: set smtp.sender"
            raise self._refused(answer, ConfigError(what, detail=answer.words))
        return True

    def _require(self, answer: Answer, good: tuple[int, ...] | range, what: str) -> None:
        if answer.code not in good:
            raise self._refused(answer, Rejected(f"{self._place} refuses {what}: {answer.words}"))

    def _refused(self, answer: Answer, fault: AllearsError) -> AllearsError:
        """4xx: not now, whatever it was about."""
        if 400 <= answer.code < 500:
            what = f"{self._place} asks to come back later"
            return RetryLater(what, after_seconds=BUSY_SECONDS, detail=answer.words)
        return fault

    def _command(self, line: str) -> Answer:
        if _CONTROL.search(line):
            raise ConfigError("smtp.username, smtp.sender and host are one line each")
        self._wire.send(line.encode() + b"\r\n")
        return self._answer()

    def _answer(self) -> Answer:
        lines: list[str] = []
        for _ in range(_MAX_LINES):
            line = self._wire.read_line(_MAX_LINE_BYTES)
            code, mark = line[:3], line[3:4]
            if not (line.endswith(b"\n") and code.isdigit() and mark in (b" ", b"-", b"\r", b"\n")):
                raise Garbled("hung up" if not line else "not an answer of SMTP")
            lines.append(line[4:].decode("utf-8", "replace").strip())
            if mark != b"-":
                return Answer(int(code), tuple(lines))
        raise Garbled("an answer without end")


def _lost(error: Exception, settings: Outgoing) -> str:
    place = _place(settings)
    return why_lost(error, place) if isinstance(error, OSError) else f"{place} hung up"


def _place(settings: Outgoing) -> str:
    """With its port: the mailbox is often read from the same host."""
    return f"{settings.endpoint.host}:{settings.endpoint.port}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
