"""What the sinks of message brokers share: settings, one connection made when it is needed, deliveries side by side.

They all send CloudEvents bodies and differ in how a broker recognises a repetition.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from pydantic import Field, SecretStr

from allears_sdk.complaint import Event
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, InDoubt, Unavailable
from allears_sdk.settings import DestinationSettings
from allears_sdk.sink import Progress, Sending, Sink, Ticket
from sink._cloudevents import MAX_BODY_BYTES, SOURCE, make_body, source_of

CONNECTING = 0.4
SENDING = 0.5
"""Their shares of `timeout_seconds`: a batch ends before the core's own patience does, so that what was confirmed in
it counts as sent."""
CLOSING_SECONDS = 2.0


class BrokerSettings(DestinationSettings):
    """How to get in, and what the events look like."""

    username: str = Field(default="", description="User who may publish; empty where nobody has to log in.")
    password: SecretStr | None = Field(
        default=None, description="The user's password.", examples=["env:ALLEARS_BROKER_PASSWORD"]
    )
    ca_file: Path | None = Field(
        default=None, description="Certificates to trust in place of the system's, PEM: for a server with its own."
    )
    client_certificate_file: Path | None = Field(
        default=None, description="Certificate that says who we are, PEM, with its key or beside `client_key_file`."
    )
    client_key_file: Path | None = Field(default=None, description="Key of the client certificate, PEM.")
    source: str = Field(default="", description=SOURCE)
    max_body_bytes: int = Field(default=262_144, ge=4096, le=16 << 20, description=MAX_BODY_BYTES)

    @property
    def secret(self) -> str:
        """The password, or nothing."""
        return self.password.get_secret_value() if self.password else ""

    def tls_context(self) -> ssl.SSLContext:
        """What a TLS connection trusts and shows. Raises ConfigError for a file that cannot be read."""
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
            if self.client_certificate_file:
                context.load_cert_chain(self.client_certificate_file, self.client_key_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"ca_file, client_certificate_file, client_key_file: {error}") from None
        return context


class UnaskedSettings(BrokerSettings):
    """Of brokers that know no repetition and cannot be asked what they have."""

    when_in_doubt: Literal["hold", "send_again"] = Field(
        default="hold",
        description="What happens to an event whose confirmation was lost: held for a person, or sent again, which is "
        "right where every reader remembers the events' ids.",
    )


S = TypeVar("S", bound=BrokerSettings)
C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Line(Generic[C]):
    """A connection, and whether it has come to its end."""

    connection: C
    lost: asyncio.Event


class BrokerSink(Sink[S], Generic[S, C]):
    """Publishes events over one connection of type C."""

    def __init__(self, settings: S, context: Context) -> None:
        super().__init__(settings, context)
        self._line: Line[C] | None = None
        self._turn = asyncio.Lock()

    @abstractmethod
    async def _connect(self, lost: asyncio.Event) -> C:
        """Log in; `lost` is set when the connection ends. Raises ConfigError, AuthError, RetryLater or Unavailable."""

    @abstractmethod
    async def _close(self, connection: C) -> None:
        """At once: nothing that still waits may go out afterwards."""

    async def _post(self, connection: C, sending: Sending) -> None:
        """Publish one event and wait until the broker has it. Raises the errors of `open`. Not needed where `_send`
        sends all in one step."""
        raise NotImplementedError

    async def stop(self) -> None:
        await self._drop()

    def render(self, event: Event, key: str) -> bytes:
        source = source_of(self.settings.source, self.context.name)
        return make_body(event, key, source=source, max_bytes=self.settings.max_body_bytes)

    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        return await self._one(Sending(payload=payload, key=key, ticket=None))

    async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        await self._one(Sending(payload=payload, key=key, ticket=ticket))

    async def send_many(self, sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
        if not sendings:
            return []
        async with self._turn:
            line = await self._connected()
            try:
                results = await self._send(line, sendings)
            except BaseException:
                await self._drop()
                raise
            if any(isinstance(result, InDoubt) for result in results) and not await self._serves_on(line):
                await self._drop()
            return results

    async def _serves_on(self, line: Line[C]) -> bool:
        """Whether a connection on which an answer was lost is kept all the same."""
        return False

    async def _one(self, sending: Sending) -> Ticket:
        (result,) = await self.send_many([sending])
        if isinstance(result, Exception):
            raise result
        return result

    async def _send(self, line: Line[C], sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
        """All of them side by side; those without an answer in time are in doubt."""
        tasks = [asyncio.create_task(self._post(line.connection, sending)) for sending in sendings]
        lost = asyncio.create_task(line.lost.wait())
        try:
            await self._first(asyncio.gather(*tasks, return_exceptions=True), lost)
            return [_outcome(task, sending) for task, sending in zip(tasks, sendings, strict=True)]
        finally:
            for task in (*tasks, lost):
                task.cancel()
            await asyncio.gather(*tasks, lost, return_exceptions=True)

    async def _first(self, *futures: asyncio.Future[Any]) -> None:
        """Until one of them is done, or the time for sending is over."""
        seconds = self.settings.timeout_seconds * SENDING
        await asyncio.wait(futures, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    async def _connected(self) -> Line[C]:
        if self._line is not None and self._line.lost.is_set():
            await self._drop()
        if self._line is None:
            self._line = await self._dial()
        return self._line

    async def _dial(self) -> Line[C]:
        """A connection of its own. Whatever cannot be named is an outage: nothing was sent."""
        seconds, lost = self.settings.timeout_seconds * CONNECTING, asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                return Line(await self._connect(lost), lost)
        except TimeoutError:
            raise Unavailable(f"no connection within {seconds:g} s") from None
        except OSError as error:
            raise Unavailable(f"no connection: {error.strerror or type(error).__name__}") from None

    async def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await self._hang_up(line)

    async def _hang_up(self, line: Line[C]) -> None:
        """Whatever a broken connection says to its end."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSING_SECONDS):
                await self._close(line.connection)


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """Around the import of a package that not everybody has. Raises ConfigError saying how to get it."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'allears[{name}]'") from None


def _outcome(task: asyncio.Task[None], sending: Sending) -> Ticket | Exception:
    if not task.done() or task.cancelled():
        return InDoubt("no answer")
    error = task.exception()
    if error is None:
        return sending.ticket or Ticket(id=sending.key)
    return error if isinstance(error, Exception) else InDoubt(type(error).__name__)
