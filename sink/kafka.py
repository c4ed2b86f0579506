"""Appends each event to a Kafka topic, keyed by its complaint, acknowledged by all replicas in sync.

The idempotent producer keeps its own repetitions out. What a producer that is gone left open is looked up: the topic's
newest records are read, and an event found by its header counts as sent.
Sources: Apache Kafka documentation, "Producer Configs", "Message Delivery Semantics"; the CloudEvents Kafka binding.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from allears_sdk.connector import Identity
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, Unavailable
from allears_sdk.sink import Certainty, Sending, SinkSpec, Ticket
from sink._brokers import CONNECTING, SENDING, BrokerSettings, BrokerSink, Line, extra
from sink._cloudevents import MEDIA_TYPE, attributes, read_head
from sink._kafka_log import MARKS, TopicLog

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

REQUEST_BYTES = 1 << 20
HEADER_BYTES = 64 << 10
FETCH_WAIT_MILLISECONDS = 50

_said: ContextVar[list[str] | None] = ContextVar("said", default=None)


class KafkaSettings(BrokerSettings):
    """Which brokers, and which topic."""

    servers: tuple[Annotated[str, Field(pattern=r"^[^\s:/,@]+:\d{1,5}$")], ...] = Field(
        min_length=1, description="Brokers to begin with, HOST:PORT.", examples=[["kafka.example.com:9092"]]
    )
    topic: str = Field(
        default="allears.complaints", pattern=r"^[A-Za-z0-9._-]{1,249}$", description="Topic; it must be there."
    )
    tls: bool = Field(default=False, description="True encrypts the connections.")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="PLAIN", description="How `username` and `password` are shown."
    )
    look_back_records: int = Field(
        default=20_000,
        ge=0,
        le=10_000_000,
        description="How many records of each partition are read when an event may have been sent already. 0 reads "
        "none, for a user who may only write: such an event is sent again.",
    )


class KafkaSink(BrokerSink[KafkaSettings, "AIOKafkaProducer"]):
    """One record per event."""

    spec = SinkSpec(
        kind="kafka",
        title_en="Apache Kafka",
        title_zh="Apache Kafka",
        open_certainty=Certainty.B,
        follow_up_certainty=Certainty.B,
        batches=True,
        is_stream=True,
        verified="the broker for tests inside librdkafka 2.16, by its protocol; no Apache Kafka",
        verified_zh="librdkafka 2.16 自带的测试用 broker，使用同一协议；未在 Apache Kafka 上试过",
    )
    Settings = KafkaSettings
    _log: TopicLog | None = None

    async def start(self) -> None:
        with extra("kafka"):
            import aiokafka  # noqa: F401 only asked for
        self._listen()

    async def stop(self) -> None:
        await super().stop()
        await self._forget_log()

    async def check(self) -> Identity:
        """Asks for all topics: to ask for one that is not there makes it, on most brokers."""
        partitions, brokers = await self._partitions()
        details = f"{len(partitions)} partitions, {brokers} brokers"
        return Identity(account=f"{self.settings.topic} at {', '.join(self.settings.servers)}", details=(details,))

    async def _partitions(self) -> tuple[list[int], int]:
        """Of the topic, and how many brokers there are. Raises ConfigError where there is none."""
        with extra("kafka"):
            from aiokafka.client import AIOKafkaClient

        client = AIOKafkaClient(**self._access())
        try:
            with self._named("the topic"):
                async with asyncio.timeout(self.settings.timeout_seconds * CONNECTING):
                    await client.bootstrap()
                    cluster = await client.fetch_all_metadata()
        except TimeoutError:
            raise Unavailable("no answer from the brokers") from None
        finally:
            with contextlib.suppress(Exception):
                await client.close()
        partitions = sorted(cluster.partitions_for_topic(self.settings.topic) or ())
        if not partitions:
            raise ConfigError(f"the topic {self.settings.topic} is not there, or not for this user to see")
        return partitions, len(cluster.brokers())

    async def find(self, key: str) -> Ticket | None:
        return Ticket(id=key) if await self._find([key]) else None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        return await self._find(marks)

    async def _find(self, marks: Iterable[str]) -> list[str]:
        if not self.settings.look_back_records:
            return []
        try:
            with self._named("reading the topic, which looking up needs"):
                self._log = self._log or await self._open_log()
                return await self._log.find(marks)
        except AllearsError as error:
            await self._forget_log()
            raise (Unavailable(f"cannot read the topic: {error}") if isinstance(error, InDoubt) else error) from None

    async def _open_log(self) -> TopicLog:
        from aiokafka import AIOKafkaConsumer

        partitions, _ = await self._partitions()
        consumer = AIOKafkaConsumer(
            **self._access(),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MILLISECONDS,
        )
        try:
            await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        return TopicLog(consumer, self.settings.topic, partitions, self.settings.look_back_records)

    async def _forget_log(self) -> None:
        log, self._log = self._log, None
        if log is not None:
            with contextlib.suppress(Exception):
                await log.close()

    async def _connect(self, lost: asyncio.Event) -> AIOKafkaProducer:
        with extra("kafka"):
            from aiokafka import AIOKafkaProducer

        producer = AIOKafkaProducer(
            **self._access(),
            acks="all",
            enable_idempotence=True,
            max_request_size=max(REQUEST_BYTES, self.settings.max_body_bytes + HEADER_BYTES),
            request_timeout_ms=int(self.settings.timeout_seconds * SENDING * 1000),
        )
        try:
            with self._named("writing to the topic"):
                await producer.start()
                await self._wait_for_topic(producer)
        except BaseException:
            await self._close(producer)
            raise
        return producer

    async def _wait_for_topic(self, producer: AIOKafkaProducer) -> None:
        try:
            async with asyncio.timeout(self.settings.timeout_seconds * CONNECTING / 2):
                await producer.partitions_for(self.settings.topic)
        except TimeoutError:
            raise ConfigError(f"the topic {self.settings.topic} is not there: make it") from None

    async def _close(self, connection: AIOKafkaProducer) -> None:
        """Left to itself the client would go on trying for ever, and send long after we have given up: its sender is
        called off first, then its connections, then what still waits is told."""
        from aiokafka.errors import KafkaConnectionError

        sender = connection._sender.sender_task
        if sender is not None:
            sender.cancel()
        await connection.client.close()
        if sender is not None:
            sender.cancel()  # it waits for requests under way, and they for a new connection
            await asyncio.wait([sender])
        connection._message_accumulator.fail_all(KafkaConnectionError("given up"))
        await connection.stop()

    async def _send(self, line: Line[AIOKafkaProducer], sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
        await self._forget_log()
        return await super()._send(line, sendings)

    async def _post(self, connection: AIOKafkaProducer, sending: Sending) -> None:
        head = read_head(sending.payload)
        headers = {f"ce_{name}": value for name, value in attributes(head).items()} | {"content-type": MEDIA_TYPE}
        if head.marks != (head.id,):
            headers[MARKS] = " ".join(head.marks)
        with self._named("writing to the topic"):
            await connection.send_and_wait(
                self.settings.topic,
                sending.payload,
                key=head.subject.encode(),
                headers=[(name, value.encode()) for name, value in headers.items()],
            )

    def _access(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "bootstrap_servers": list(settings.servers),
            "client_id": f"allears-{self.context.name}",
            "security_protocol": f"{'SASL_' if settings.username else ''}{'SSL' if settings.tls else 'PLAINTEXT'}",
            "ssl_context": settings.tls_context() if settings.tls else None,
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.username or None,
            "sasl_plain_password": settings.secret or None,
        }

    @contextlib.contextmanager
    def _named(self, what: str) -> Iterator[None]:
        """aiokafka's errors in our words."""
        from aiokafka.errors import KafkaError

        said: list[str] = []
        token = _said.set(said)
        try:
            yield
        except KafkaError as error:
            raise _judge(error, what, " ".join(said)) from None
        finally:
            _said.reset(token)

    @staticmethod
    def _listen() -> None:
        """Why there is no connection, this client says in its log alone. What else it says there, the core does."""
        logger = logging.getLogger("aiokafka")
        if not any(isinstance(handler, _Ear) for handler in logger.handlers):
            logger.addHandler(_Ear())
        logger.propagate = False


class _Ear(logging.Handler):
    """Hears what is logged on the way of one call."""

    def emit(self, record: logging.LogRecord) -> None:
        said = _said.get()
        if said is not None:
            said.append(record.getMessage())


def _judge(error: Exception, what: str, said: str) -> AllearsError:
    from aiokafka import errors

    if isinstance(error, errors.TopicAuthorizationFailedError | errors.ClusterAuthorizationFailedError):
        return AuthError(f"the user is not allowed {what}", detail=str(error))
    if isinstance(error, errors.MessageSizeTooLargeError | errors.RecordListTooLargeError):
        return Rejected("larger than the topic takes; lower max_body_bytes, or raise max.message.bytes there")
    if isinstance(error, errors.UnknownTopicOrPartitionError | errors.InvalidTopicError):
        return ConfigError("the topic is not there: make it")
    if isinstance(error, errors.KafkaConnectionError) and "bootstrap" in str(error):
        return _not_connected(said)
    return InDoubt(f"no acknowledgement: {type(error).__name__}", detail=str(error))


def _not_connected(said: str) -> AllearsError:
    if "sasl" in said.lower() or "authentication" in said.lower():
        return AuthError("the brokers refuse the user, password or mechanism", detail=said)
    return Unavailable("no connection to any of the brokers", detail=said)
