"""Who may use the admin server: token, session cookie, basic auth, and the limit on guessing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from aiohttp import web

from allears_sdk.context import Clock

SESSION_COOKIE = "allears_session"
SESSION_SECONDS = 12 * 3600
MOST_FAILURES = 10
WINDOW_SECONDS = 60.0
_MOST_ADDRESSES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What the admin set; all empty on loopback means open."""

    token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def are_set(self) -> bool:
        return bool(self.token or self.password)


class Guesses:
    """Failed attempts per address within the last minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_seconds(self, address: str) -> int:
        """How long the address must wait before its next attempt counts; 0: not at all."""
        failures = self._failures.get(address, deque())
        now = self._clock.monotonic()
        while failures and now - failures[0] >= WINDOW_SECONDS:
            failures.popleft()
        if len(failures) < MOST_FAILURES:
            return 0
        return int(failures[0] + WINDOW_SECONDS - now) + 1

    def note_failure(self, address: str) -> None:
        self._failures.setdefault(address, deque(maxlen=MOST_FAILURES)).append(self._clock.monotonic())
        self._failures.move_to_end(address)
        while len(self._failures) > _MOST_ADDRESSES:
            self._failures.popitem(last=False)


class Access:
    """Checks requests. Sessions are not stored: a cookie is its end time with an HMAC keyed by the credentials,
    so that changing those ends every session."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self.credentials = credentials
        self.guesses = Guesses(clock)
        self._clock = clock
        secret = f"{credentials.token}\0{credentials.username}\0{credentials.password}".encode()
        self._key = hashlib.sha256(b"allears admin session\0" + secret).digest()
        self._page_key = secrets.token_bytes(32)

    @property
    def is_open(self) -> bool:
        return not self.credentials.are_set

    def admit(self, request: web.Request) -> tuple[str, int]:
        """How the request proved itself ("open", "session", "token", "basic:NAME", or "" for not at all), and how
        many seconds an address that guessed wrong too often must wait before anything it says is looked at."""
        if self.is_open:
            return "open", 0
        if self.session_of(request):
            return "session", 0
        if "Authorization" not in request.headers:
            return "", 0
        address = request.remote or ""
        wait = self.guesses.wait_seconds(address)
        who = "" if wait else self._who(request)
        if not who and not wait:
            self.guesses.note_failure(address)
        return who, wait

    def _who(self, request: web.Request) -> str:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.knows_token(value.strip()):
            return "token"
        if scheme.lower() == "basic" and self._knows_password(value.strip()):
            return f"basic:{self.credentials.username}"
        return ""

    def knows_token(self, token: str) -> bool:
        expected = self.credentials.token
        return bool(expected) and hmac.compare_digest(token.encode(), expected.encode())

    def _knows_password(self, value: str) -> bool:
        credentials = self.credentials
        try:
            given = base64.b64decode(value, validate=True)
        except ValueError:
            return False
        expected = f"{credentials.username}:{credentials.password}".encode()
        return bool(credentials.password) and hmac.compare_digest(given, expected)

    def new_session(self) -> str:
        ends = int(self._clock.now().timestamp()) + SESSION_SECONDS
        body = f"{ends}.{secrets.token_urlsafe(12)}"
        return f"{body}.{self._sign(body)}"

    def session_of(self, request: web.Request) -> str:
        """The request's session cookie when it is ours and has not ended, else nothing."""
        cookie = request.cookies.get(SESSION_COOKIE, "")
        body, _, signature = cookie.rpartition(".")
        if self.is_open or not hmac.compare_digest(signature.encode(), self._sign(body).encode()):
            return ""
        ends = int(body.partition(".")[0])
        return cookie if ends > self._clock.now().timestamp() else ""

    def csrf(self, request: web.Request) -> str:
        """The token forms of this reader carry: bound to the session where there is one."""
        session = self.session_of(request)
        return hmac.new(self._page_key, session.encode(), hashlib.sha256).hexdigest()

    def knows_csrf(self, request: web.Request, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.csrf(request).encode())

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()
