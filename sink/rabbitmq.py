"""Publishes each event to a RabbitMQ exchange: persistent, mandatory, and confirmed by the broker.

RabbitMQ cannot be asked whether it has a message, nor does it know a repetition: consumers do, by `message_id`.
Sources: RabbitMQ documentation, "Consumer Acknowledgements and Publisher Confirms", "Blocked Connection Notifications";
tried on RabbitMQ 3.10.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field, field_validator
from yarl import URL

from allears_sdk.connector import Identity
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.sink import Certainty, Sending, SinkSpec, Ticket
from sink._brokers import BrokerSink, Line, UnaskedSettings, extra
from sink._cloudevents import MEDIA_TYPE, read_head

if TYPE_CHECKING:
    from aio_pika import Message
    from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange

MAX_NAME_BYTES = 255
DEDUPLICATION = "x-deduplication-header"
"""What the community's deduplication plug-in looks at; nothing to others."""


class RabbitMqSettings(UnaskedSettings):
    """Which broker, and where the events go."""

    url: str = Field(
        pattern=r"^amqps?://[^@\s/?]+(/[^\s?/]*)?$",
        description="Broker and virtual host: `amqp://HOST:PORT/VHOST`, with TLS `amqps://`.",
        examples=["amqps://rabbit.example.com:5671/support"],
    )
    exchange: str = Field(
        default="",
        max_length=127,
        pattern=r"^[a-zA-Z0-9_.:@#,/+ -]*$",
        description="Exchange to publish to; empty: straight into the queue that `routing_key` names.",
    )
    routing_key: str = Field(
        default="allears.complaints", description="Routing key, or the queue's name where `exchange` is empty."
    )

    @field_validator("routing_key")
    @classmethod
    def _fits(cls, name: str) -> str:
        if len(name.encode()) > MAX_NAME_BYTES:
            raise ValueError(f"longer than {MAX_NAME_BYTES} bytes")
        return name


class Refused(InDoubt):
    """The broker closed the channel: one message of those under way was refused, `named` says why."""

    def __init__(self, named: AllearsError) -> None:
        super().__init__(f"the channel was closed: {named}", detail=named.detail)
        self.named = named


@dataclass(frozen=True, slots=True)
class Session:
    """A connection, and the exchange on its one channel."""

    connection: AbstractConnection
    channel: AbstractChannel
    exchange: AbstractExchange


class RabbitMqSink(BrokerSink[RabbitMqSettings, Session]):
    """One message per event, known to consumers by its `message_id`."""

    spec = SinkSpec(
        kind="rabbitmq",
        title_en="RabbitMQ",
        title_zh="RabbitMQ",
        open_certainty=Certainty.D,
        follow_up_certainty=Certainty.D,
        batches=True,
        is_stream=True,
        verified="RabbitMQ 3.10",
        verified_zh="RabbitMQ 3.10",
    )
    Settings = RabbitMqSettings

    async def start(self) -> None:
        with extra("rabbitmq"):
            import aio_pika  # noqa: F401 only asked for

    async def check(self) -> Identity:
        line = await self._dial()
        try:
            detail = await self._look(line.connection)
        finally:
            await self._hang_up(line)
        return Identity(account=f"{self._target()} at {self.settings.url}", details=(detail,))

    async def _connect(self, lost: asyncio.Event) -> Session:
        with extra("rabbitmq"):
            import aio_pika
            from aio_pika.exceptions import AMQPError
        settings = self.settings
        try:
            connection = await aio_pika.connect(
                self._address(), ssl_context=settings.tls_context() if settings.url.startswith("amqps") else None
            )
        except AMQPError as error:
            raise _not_connected(error) from None
        try:
            return await self._open_channel(connection, lost)
        except BaseException:
            await connection.close()
            raise

    async def _open_channel(self, connection: AbstractConnection, lost: asyncio.Event) -> Session:
        from aio_pika.exceptions import AMQPError

        try:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            name = self.settings.exchange
            exchange = await channel.get_exchange(name, ensure=True) if name else channel.default_exchange
        except AMQPError as error:
            raise _named(error) or Unavailable(f"no channel: {error}") from None
        connection.close_callbacks.add(lambda *_: lost.set())
        return Session(connection, channel, exchange)

    async def _close(self, connection: Session) -> None:
        await connection.connection.close()

    async def _send(self, line: Line[Session], sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
        """One goes ahead: what the broker refuses to all of them, or a lost answer, then costs no doubt but its own."""
        if await _is_blocked(line.connection):
            return [RetryLater("the broker takes nothing now: it is short of memory or disk")] * len(sendings)
        (scout,) = await super()._send(line, sendings[:1])
        if isinstance(scout, Ticket):
            others = sendings[1:]
            return [scout, *(await super()._send(line, others) if others else ())]
        if isinstance(scout, Refused):
            line.lost.set()
            scout = scout.named
        is_its_own = isinstance(scout, Rejected | InDoubt)
        return [
            scout,
            *([RetryLater("the one before it was not taken") if is_its_own else scout] * (len(sendings) - 1)),
        ]

    async def _serves_on(self, line: Line[Session]) -> bool:
        """A blocked connection says when it is free again; a new one would lose an answer to learn of it."""
        return not line.lost.is_set() and await _is_blocked(line.connection)

    async def _post(self, connection: Session, sending: Sending) -> None:
        from aio_pika.exceptions import CONNECTION_EXCEPTIONS, AMQPChannelError, DeliveryError, PublishError

        try:
            await connection.exchange.publish(self._message(sending), self.settings.routing_key, mandatory=True)
        except PublishError:
            raise ConfigError(f"no queue takes {self._target()}: make or bind one") from None
        except DeliveryError:
            raise RetryLater("the broker refuses it (nack): the queue is full, or has no leader") from None
        except AMQPChannelError as error:
            named = _named(error)
            raise (Refused(named) if named else InDoubt(f"the channel was closed: {type(error).__name__}")) from None
        except CONNECTION_EXCEPTIONS as error:
            raise InDoubt(f"no confirmation: {type(error).__name__}") from None

    def _message(self, sending: Sending) -> Message:
        from aio_pika import DeliveryMode, Message

        head = read_head(sending.payload)
        return Message(
            sending.payload,
            content_type=MEDIA_TYPE,
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=sending.key,
            correlation_id=head.subject,
            type=head.type,
            app_id="allears",
            headers={DEDUPLICATION: sending.key},
        )

    async def _look(self, session: Session) -> str:
        """Where events go, as far as can be seen without sending one."""
        from aio_pika.exceptions import AMQPError

        settings = self.settings
        if settings.exchange:
            return f"exchange {settings.exchange} is there; which queues are bound shows only when an event goes out"
        try:
            queue = await session.channel.get_queue(settings.routing_key, ensure=True)
        except AMQPError as error:
            raise _named(error) or Unavailable(f"cannot look at the queue: {error}") from None
        except ValueError:
            return "a queue of such a name cannot be looked at by this client; events can go there all the same"
        return f"queue {queue.name} holds {queue.declaration_result.message_count} messages"

    def _target(self) -> str:
        settings = self.settings
        return f"{settings.exchange}/{settings.routing_key}" if settings.exchange else f"queue {settings.routing_key}"

    def _address(self) -> URL:
        url = URL(self.settings.url)
        return (
            url.with_user(self.settings.username).with_password(self.settings.secret) if self.settings.username else url
        )


async def _is_blocked(session: Session) -> bool:
    """Whether the broker has said that it reads nothing from us."""
    transport = session.connection.transport
    if transport is None:
        return False
    try:
        async with asyncio.timeout(0):
            await transport.connection.ready()
    except TimeoutError:
        return True
    return False


def _named(error: Exception) -> AllearsError | None:
    """Why the broker closed a channel."""
    from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity, ChannelPreconditionFailed

    text = str(error)
    if isinstance(error, ChannelAccessRefused):
        return AuthError("the user may not publish there", detail=text)
    if isinstance(error, ChannelNotFoundEntity):
        return ConfigError("the exchange or queue is not there: make it, or mend the settings", detail=text)
    if isinstance(error, ChannelPreconditionFailed):
        return Rejected("the broker refuses it; where it is too large, lower max_body_bytes", detail=text)
    return None


def _not_connected(error: Exception) -> AllearsError:
    from aiormq.exceptions import (
        AuthenticationError,
        ConnectionNotAllowed,
        InvalidFrameError,
        ProbableAuthenticationError,
    )

    if isinstance(error, ProbableAuthenticationError | AuthenticationError):
        return AuthError("the broker refuses the user or password")
    is_closed_at_opening = isinstance(error, InvalidFrameError) and "Connection.Close" in str(error)
    if isinstance(error, ConnectionNotAllowed) or is_closed_at_opening:
        return ConfigError("the virtual host is not there, or not open to this user", detail=str(error))
    return Unavailable(f"no connection: {type(error).__name__}", detail=str(error))
