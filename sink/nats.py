"""Publishes each event into a NATS JetStream, on a subject of its own.

The stream takes a subject's first message alone (`Nats-Expected-Last-Subject-Sequence: 0`), so that a repetition is
known for as long as the stream holds the event, and by `Nats-Msg-Id` within its duplicate window.
Sources: NATS documentation, "JetStream headers"; tried on nats-server 2.15.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, SecretStr, field_validator

from allears_sdk.connector import Identity
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.sink import Certainty, Sending, SinkSpec, Ticket
from sink._brokers import SENDING, BrokerSettings, BrokerSink, Line, extra
from sink._cloudevents import MEDIA_TYPE, attributes, read_head
from sink._nats_credentials import Credentials

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext
    from nats.js.api import StreamInfo
    from nats.js.errors import APIError

EXPECTED = "Nats-Expected-Last-Subject-Sequence"
ALREADY_THERE = 10071
STREAM_DIFFERS = 10060
TOO_LARGE = frozenset({10054, 10097})
NOT_NOW = frozenset({10008, 10023, 10047, 10077})
"""JetStream is not ready, has no room, or the stream is full and refuses what is new."""
_SERVER = re.compile(r"(?:nats|tls|ws|wss)://[^@\s/]+/?")
_TOKEN = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")


class NatsSettings(BrokerSettings):
    """Which servers, and where the events go."""

    servers: tuple[str, ...] = Field(
        min_length=1,
        description="Servers of one cluster, `nats://` or `tls://`.",
        examples=[["tls://nats.example.com:4222"]],
    )
    subject: str = Field(
        default="allears.complaints",
        description="Events are published on `SUBJECT.REFERENCE.KEY`; the stream takes `SUBJECT.>`.",
    )
    stream: str = Field(default="", description="Name of the stream that must take them; empty: whichever does.")
    token: SecretStr | None = Field(default=None, description="Token, where the server asks for one and no user.")
    credentials_file: Path | None = Field(
        default=None, description="File of a user's JWT and seed (`.creds`), as accounts with an operator have them."
    )

    @field_validator("servers")
    @classmethod
    def _are_servers(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_SERVER.fullmatch(server) for server in servers):
            raise ValueError("a server is nats://HOST:PORT or tls://HOST:PORT; user and password have their own keys")
        return servers

    @field_validator("subject")
    @classmethod
    def _is_subject(cls, subject: str) -> str:
        if not _TOKEN.fullmatch(subject):
            raise ValueError("a subject is words of letters, digits, - and _ with dots between them, no wildcards")
        return subject


@dataclass(slots=True)
class Session:
    """A connection, and what the server forbade on it."""

    client: Client
    stream: JetStreamContext
    denials: list[str] = field(default_factory=list)


class NatsSink(BrokerSink[NatsSettings, Session]):
    """One message per event; never one twice in a stream that keeps its messages."""

    spec = SinkSpec(
        kind="nats",
        title_en="NATS JetStream",
        title_zh="NATS JetStream",
        open_certainty=Certainty.A,
        follow_up_certainty=Certainty.A,
        batches=True,
        is_stream=True,
        verified="nats-server 2.15",
        verified_zh="nats-server 2.15",
    )
    Settings = NatsSettings

    async def start(self) -> None:
        with extra("nats"):
            import nats  # noqa: F401 only asked for
        self._credentials()

    async def check(self) -> Identity:
        line = await self._dial()
        try:
            info = await self._stream_info(line.connection)
        finally:
            await self._hang_up(line)
        return Identity(account=f"{self.settings.subject}.> at {', '.join(self.settings.servers)}", details=info)

    async def _connect(self, lost: asyncio.Event) -> Session:
        with extra("nats"):
            from nats.aio.client import Client
            from nats.errors import Error
        denials: list[str] = []

        async def note(error: Exception) -> None:
            if "permissions violation" in str(error).lower():
                denials.append(str(error))

        async def closed() -> None:
            lost.set()

        client = Client()
        try:
            await client.connect(
                servers=list(self.settings.servers),
                name=f"allears {self.context.name}",
                allow_reconnect=False,  # it would keep what was published meanwhile, and send it after we gave up
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                error_cb=note,
                closed_cb=closed,
                **self._login(),
            )
        except BaseException as error:
            await client.close()  # it leaves the socket of a failed attempt open
            raise _not_connected(error) if isinstance(error, Error) else error from None
        return Session(client=client, stream=client.jetstream(), denials=denials)

    async def _close(self, connection: Session) -> None:
        await connection.client.close()

    async def _post(self, connection: Session, sending: Sending) -> None:
        from nats.errors import ConnectionClosedError, Error, MaxPayloadError
        from nats.js.errors import APIError, NoStreamResponseError

        head = read_head(sending.payload)
        headers = {f"ce-{name}": value for name, value in attributes(head).items()}
        try:
            await connection.stream.publish(
                self._subject(head.subject, sending.key),
                sending.payload,
                timeout=self.settings.timeout_seconds * SENDING,
                stream=self.settings.stream or None,
                headers={**headers, "content-type": MEDIA_TYPE, "Nats-Msg-Id": sending.key, EXPECTED: "0"},
            )
        except MaxPayloadError:
            raise Rejected("larger than the server's max_payload; lower max_body_bytes, or raise it there") from None
        except NoStreamResponseError:
            raise Unavailable(f"no stream takes {self.settings.subject}.>: add one, or look why it is down") from None
        except ConnectionClosedError:  # said before anything is written
            raise Unavailable("the connection has ended") from None
        except APIError as error:
            if error.err_code != ALREADY_THERE:
                raise _named(error) from None
        except (Error, ValueError) as error:
            raise InDoubt(f"no answer: {type(error).__name__}") from None

    async def _send(self, line: Line[Session], sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
        """A server that forbids publishing says so beside the request, and leaves that without an answer."""
        results = await super()._send(line, sendings)
        denials = line.connection.denials
        if not denials:
            return results
        denied = AuthError(f"the user may not publish on {self.settings.subject}.>", detail=denials[0])
        return [denied if isinstance(result, InDoubt) else result for result in results]

    async def _stream_info(self, session: Session) -> tuple[str, ...]:
        from nats.errors import Error
        from nats.errors import TimeoutError as NoAnswer
        from nats.js.errors import NotFoundError

        sample = self._subject("ALE-0000-0000-0000", "KEY")
        try:
            name = await session.stream.find_stream_name_by_subject(sample)
            info = await session.stream.stream_info(name)
        except NotFoundError:
            raise ConfigError(f"no stream takes {sample}: add one with subjects {self.settings.subject}.>") from None
        except NoAnswer:
            return ("the user may not look at streams, so none was checked",)
        except Error as error:
            raise Unavailable(f"cannot look at streams: {error}") from None
        return self._judge(info)

    def _judge(self, info: StreamInfo) -> tuple[str, ...]:
        config = info.config
        if self.settings.stream and config.name != self.settings.stream:
            raise ConfigError(f"{self.settings.subject}.> goes to stream {config.name}, not {self.settings.stream}")
        details = [f"stream {config.name}, {config.retention} retention, {config.num_replicas} replicas"]
        if config.retention != "limits":
            window = config.duplicate_window or 0
            details.append(f"consumed messages leave it: a repetition after {window:g} s is not known")
        return tuple(details)

    def _subject(self, reference: str, key: str) -> str:
        return f"{self.settings.subject}.{reference}.{key}"

    def _login(self) -> dict[str, Any]:
        settings, credentials = self.settings, self._credentials()
        login: dict[str, Any] = {}
        if credentials:
            # Without a user this client takes a signature for no login at all; the server reads the JWT alone.
            login |= {"user": "jwt", "user_jwt_cb": credentials.jwt, "signature_cb": credentials.sign}
        elif settings.username:
            login |= {"user": settings.username, "password": settings.secret}
        elif settings.token:
            login["token"] = settings.token.get_secret_value()
        if any(server.startswith(("tls:", "wss:")) for server in settings.servers) or settings.ca_file:
            login["tls"] = settings.tls_context()
        return login

    def _credentials(self) -> Credentials | None:
        return Credentials.read(self.settings.credentials_file) if self.settings.credentials_file else None


def _not_connected(error: Exception) -> AllearsError:
    if "authorization" in str(error).lower() or "authentication" in str(error).lower():
        return AuthError("the server refuses the user, token or credentials")
    return Unavailable(f"no connection: {error}")


def _named(error: APIError) -> AllearsError:
    """An error in place of an acknowledgement: nothing was stored."""
    code, text = error.err_code, f"the stream refuses: {error.description}"
    if code in NOT_NOW or error.code == 503:
        return RetryLater(text)
    if code in TOO_LARGE:
        return Rejected(f"{text}; lower max_body_bytes, or raise max_msg_size there")
    if code == STREAM_DIFFERS:
        return ConfigError(f"{text}; mend `stream` or `subject`")
    return Rejected(text) if error.code == 400 else InDoubt(text)
