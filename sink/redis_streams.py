"""Appends each event to a Redis stream, by one script that knows what it has appended.

Redis before 8.6 knows no repetition of its own, a transaction appends although its marker was there already, and ids
must grow: so a script looks for the marker, appends, and sets it, as one step.
Sources: redis.io, "XADD", "EVAL", "Transactions"; tried on Redis 7.0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from allears_sdk.connector import Identity
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, RetryLater, Unavailable
from allears_sdk.sink import Certainty, Sending, SinkSpec, Ticket
from sink._brokers import SENDING, BrokerSettings, BrokerSink, Line, extra
from sink._cloudevents import read_head

if TYPE_CHECKING:
    from redis.asyncio import Redis

DAY_SECONDS = 86_400
APPEND = """\
local there = redis.call('GET', KEYS[2])
if there then return there end
redis.call('SET', KEYS[2], '', 'XX')
local id
if ARGV[2] == '0' then
  id = redis.call('XADD', KEYS[1], '*', 'id', ARGV[3], 'type', ARGV[4], 'subject', ARGV[5], 'event', ARGV[6])
else
  id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*',
    'id', ARGV[3], 'type', ARGV[4], 'subject', ARGV[5], 'event', ARGV[6])
end
redis.call('SET', KEYS[2], id, 'EX', ARGV[1])
return id
"""
"""KEYS: stream, marker. ARGV: seconds the marker lives, length of the stream or 0, then the entry's values.

The first SET changes nothing (XX: only what exists): whatever would refuse the last one, a missing permission or full
memory, refuses there, before the entry is made."""
NOT_NOW = ("OOM", "MISCONF", "BUSY", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "READONLY", "MASTERDOWN")
"""Refusals before anything is written: memory full, no snapshot possible, a script at work, no master here."""
FORBIDDEN = "The user executing the script can't"


class RedisSettings(BrokerSettings):
    """Which server and stream, and how long repetitions are known."""

    url: str = Field(
        pattern=r"^(rediss?://[^@\s/]+(/\d+)?|unix://[^@\s]+)$",
        description="Server and database: `redis://`, with TLS `rediss://`, or `unix://` and a path.",
        examples=["rediss://redis.example.com:6379/0"],
    )
    stream: str = Field(default="allears:complaints", min_length=1, description="Key of the stream.")
    remember_days: float = Field(
        default=30,
        ge=1,
        le=3650,
        description="How long the marker of an event is kept beside the stream; a repetition after that is not known.",
    )
    max_entries: int = Field(
        default=0, ge=0, description="Oldest entries beyond about this many are dropped; 0 keeps them all."
    )


class RedisSink(BrokerSink[RedisSettings, "Redis"]):
    """One entry per event; never one twice while its marker is remembered."""

    spec = SinkSpec(
        kind="redis",
        title_en="Redis Streams",
        title_zh="Redis Streams",
        open_certainty=Certainty.A,
        follow_up_certainty=Certainty.A,
        batches=True,
        is_stream=True,
        verified="Redis 7.0",
        verified_zh="Redis 7.0",
    )
    Settings = RedisSettings

    async def start(self) -> None:
        with extra("redis"):
            import redis.asyncio  # noqa: F401 only asked for

    async def check(self) -> Identity:
        line = await self._dial()
        try:
            details = await self._look(line.connection)
        finally:
            await self._hang_up(line)
        return Identity(account=f"{self.settings.stream} at {self.settings.url}", details=details)

    async def _connect(self, lost: asyncio.Event) -> Redis:
        with extra("redis"):
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
            from redis.exceptions import RedisError
        client = Redis.from_url(
            self.settings.url,
            username=self.settings.username or None,
            password=self.settings.secret or None,
            protocol=2,  # the third one needs a permission more
            max_connections=1,
            socket_timeout=self.settings.timeout_seconds * SENDING,
            retry=Retry(NoBackoff(), 0),
            **self._tls(),
        )
        try:
            await client.ping()
        except BaseException as error:
            await client.aclose()
            raise _not_connected(error) if isinstance(error, RedisError) else error from None
        return client

    async def _close(self, connection: Redis) -> None:
        await connection.aclose()

    async def _send(self, line: Line[Redis], sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
        """All in one round trip, each with an answer of its own."""
        from redis.exceptions import RedisError

        pipeline = line.connection.pipeline(transaction=False)
        for sending in sendings:
            self._append(pipeline, sending)
        try:
            answers = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            return [InDoubt(f"no answer: {type(error).__name__}") for _ in sendings]
        return [_result(answer, sending) for answer, sending in zip(answers, sendings, strict=True)]

    def _append(self, pipeline: Any, sending: Sending) -> None:
        settings, head = self.settings, read_head(sending.payload)
        pipeline.eval(
            APPEND,
            2,
            settings.stream,
            f"{{{settings.stream}}}:seen:{sending.key}",  # in braces: on the stream's own node of a cluster
            int(settings.remember_days * DAY_SECONDS),
            settings.max_entries,
            sending.key,
            head.type,
            head.subject,
            sending.payload,
        )

    async def _look(self, client: Redis) -> tuple[str, ...]:
        from redis.exceptions import NoPermissionError, RedisError

        stream = self.settings.stream
        try:
            kind = _text(await client.type(stream))
            info = await client.info()
        except NoPermissionError:
            return ("the user may not ask for INFO or TYPE, so nothing was checked",)
        except (RedisError, OSError) as error:
            raise Unavailable(f"cannot look: {error}") from None
        if kind not in ("none", "stream"):
            raise ConfigError(f"the key {stream} holds a {kind}, not a stream: choose another key")
        return tuple(_advice(info))

    def _tls(self) -> dict[str, Any]:
        settings = self.settings
        if not settings.url.startswith("rediss:"):
            return {}
        settings.tls_context()
        files = {
            "ssl_ca_certs": settings.ca_file,
            "ssl_certfile": settings.client_certificate_file,
            "ssl_keyfile": settings.client_key_file,
        }
        return {name: str(file) for name, file in files.items() if file}


def _advice(info: dict[str, Any]) -> list[str]:
    """What an admin should know of this server before trusting it with complaints."""
    details = [f"Redis {info.get('redis_version', '?')}, {info.get('role', '?')}"]
    if not info.get("aof_enabled"):
        details.append("appendonly is off: after a crash what came since the last snapshot is gone")
    if str(info.get("maxmemory_policy", "noeviction")) != "noeviction":
        details.append(f"maxmemory-policy {info['maxmemory_policy']}: when memory is full, entries or markers go")
    return details


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _result(answer: Any, sending: Sending) -> Ticket | Exception:
    if isinstance(answer, bytes):
        return sending.ticket or Ticket(id=sending.key)
    return _named(answer) if isinstance(answer, Exception) else InDoubt("an answer that makes no sense")


def _named(error: Exception) -> AllearsError:
    from redis.exceptions import (
        AskError,
        AuthenticationError,
        BusyLoadingError,
        NoPermissionError,
        OutOfMemoryError,
        ReadOnlyError,
        ResponseError,
    )

    text = str(error)
    if isinstance(error, NoPermissionError | AuthenticationError) or text.startswith(FORBIDDEN):
        return AuthError("the user may not run scripts, XADD, GET and SET on the stream's keys", detail=text)
    if isinstance(error, AskError):
        return ConfigError("this is one node of a Redis Cluster, and the stream lives on another", detail=text)
    if isinstance(error, OutOfMemoryError | ReadOnlyError | BusyLoadingError) or text.startswith(NOT_NOW):
        return RetryLater(f"Redis takes nothing now: {type(error).__name__}", detail=text)
    if isinstance(error, ResponseError) and text.startswith("WRONGTYPE"):
        return ConfigError("the key of the stream or of a marker holds something else", detail=text)
    return InDoubt(f"an error in place of an answer: {type(error).__name__}", detail=text)


def _not_connected(error: Exception) -> AllearsError:
    from redis.exceptions import AuthenticationError, AuthorizationError, BusyLoadingError, NoPermissionError

    if isinstance(error, AuthenticationError | AuthorizationError | NoPermissionError):
        return AuthError("the server refuses the user or password")
    if isinstance(error, BusyLoadingError):
        return RetryLater("Redis is loading its data")
    if str(error).startswith("NOAUTH"):
        return AuthError("the server asks for a password")
    return Unavailable(f"no connection: {error}")
