"""Publishes each event to an MQTT 5 broker, by QoS 1, on a topic for each complaint.

MQTT knows no repetition beyond a connection: a message whose PUBACK was lost goes out again, and readers know it by its
id. Sources: OASIS, "MQTT Version 5.0"; CloudEvents, "MQTT Protocol Binding"; tried on Mosquitto 2.0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from allears_sdk.connector import Identity
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.sink import Certainty, Sending, SinkSpec, Ticket
from sink._brokers import CONNECTING, BrokerSink, Line, UnaskedSettings, extra
from sink._cloudevents import MEDIA_TYPE, attributes, read_head
from sink._mqtt_line import KEEP_ALIVE_SECONDS, WITHOUT_LIMIT, MqttLine, Welcome, Word

if TYPE_CHECKING:
    from paho.mqtt.client import Client
    from paho.mqtt.properties import Properties

SUCCESS, NO_READER = 0x00, 0x10
NOT_ALLOWED = frozenset({0x86, 0x87, 0x8A, 0x8C})
"""User or password, not authorised, banned, wrong way to log in."""
TOO_LARGE, BAD_TOPIC, BAD_CLIENT_ID, BAD_PAYLOAD = 0x95, 0x90, 0x85, 0x99
OTHER_PROTOCOL = frozenset({0x01, 0x84})
ELSEWHERE = frozenset({0x9C, 0x9D})
OVERHEAD_BYTES = 16
"""Of a PUBLISH beside topic, properties and payload."""
TOPIC_BYTES = 1024
UTF_8 = 1


class MqttSettings(UnaskedSettings):
    """Which broker, and where the events go."""

    url: str = Field(
        pattern=r"^mqtts?://([^@\s/?#:\[\]]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?/?$",
        description="Broker: `mqtt://HOST:PORT`, with TLS `mqtts://`; port 1883 or 8883 when left out.",
        examples=["mqtts://mqtt.example.com:8883"],
    )
    topic: str = Field(
        default="allears/complaints",
        description="Events are published on `TOPIC/REFERENCE`; a reader subscribes to `TOPIC/#`.",
    )
    client_id: str = Field(
        default="",
        max_length=256,
        description="Client identifier, where the broker's rules go by it; no other client may have it. Empty: the "
        "broker gives one.",
    )
    accept_no_reader: bool = Field(
        default=False,
        description="True counts an event as sent although the broker says that nobody subscribes to its topic, and "
        "so keeps it for nobody.",
    )

    @field_validator("topic")
    @classmethod
    def _is_topic(cls, topic: str) -> str:
        if topic.startswith("$") or not all(topic.split("/")) or not topic.isprintable() or set("+#") & set(topic):
            raise ValueError("a topic is words with / between them, no wildcards (+, #), no $ in front")
        if len(topic.encode()) > TOPIC_BYTES:
            raise ValueError(f"longer than {TOPIC_BYTES} bytes")
        return topic

    @property
    def is_encrypted(self) -> bool:
        return self.url.startswith("mqtts:")

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or (8883 if self.is_encrypted else 1883)


@dataclass(frozen=True, slots=True)
class Session:
    """A connection that the broker has welcomed."""

    line: MqttLine
    welcome: Welcome


class MqttSink(BrokerSink[MqttSettings, Session]):
    """One message per event, known to readers by its `id`."""

    spec = SinkSpec(
        kind="mqtt",
        title_en="MQTT",
        title_zh="MQTT",
        open_certainty=Certainty.D,
        follow_up_certainty=Certainty.D,
        batches=True,
        is_stream=True,
        verified="Mosquitto 2.0",
        verified_zh="Mosquitto 2.0",
    )
    Settings = MqttSettings

    async def start(self) -> None:
        with extra("mqtt"):
            import paho.mqtt.client  # noqa: F401 only asked for

    async def check(self) -> Identity:
        suffix = "-check"  # beside a daemon at work: the same one would end its connection
        line = await self._dial_as(f"{self.settings.client_id}{suffix}" if self.settings.client_id else "")
        try:
            welcome = line.connection.welcome
        finally:
            await self._hang_up(line)
        return Identity(account=f"{self.settings.topic}/# at {self.settings.url}", details=(_told(welcome),))

    async def _dial_as(self, client_id: str) -> Line[Session]:
        return await MqttSink(self.settings.model_copy(update={"client_id": client_id}), self.context)._dial()

    async def _connect(self, lost: asyncio.Event) -> Session:
        client = self._client()
        host, port = self.settings.address
        failed = await self.context.blocking(client.connect, host, port, KEEP_ALIVE_SECONDS, "", 0, True)
        if failed:
            raise Unavailable("the connection was lost at once")
        line = MqttLine(client, lost)
        try:
            welcome = await line.welcome()
            _check_welcome(welcome)
        except BaseException:  # cancelled too: nobody else knows of the line
            line.close()
            raise
        return Session(line, welcome)

    def _client(self) -> Client:
        with extra("mqtt"):
            from paho.mqtt.client import Client, MQTTv5
            from paho.mqtt.enums import CallbackAPIVersion
        settings = self.settings
        client = Client(CallbackAPIVersion.VERSION2, settings.client_id, protocol=MQTTv5, reconnect_on_failure=False)
        client.connect_timeout = settings.timeout_seconds * CONNECTING / 2  # twice: for TCP, for TLS
        client.max_inflight_messages = 0  # none waits in there: MqttLine counts
        if settings.username:
            client.username_pw_set(settings.username, settings.secret or None)
        if settings.is_encrypted:
            client.tls_set_context(settings.tls_context())
        return client

    async def _close(self, connection: Session) -> None:
        connection.line.close()

    async def _send(self, line: Line[Session], sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
        """Some brokers answer what is forbidden by closing the connection."""
        results = await super()._send(line, sendings)
        connection = line.connection.line
        if not connection.why_lost:
            return results
        farewell = connection.farewell
        is_denied = farewell is not None and farewell.code in NOT_ALLOWED
        why = self._forbidden(farewell) if farewell and is_denied else InDoubt(f"no answer: {connection.why_lost}")
        return [why if isinstance(result, InDoubt) else result for result in results]

    async def _post(self, connection: Session, sending: Sending) -> None:
        head = read_head(sending.payload)
        topic = f"{self.settings.topic}/{head.subject}"
        properties = _properties(dict(attributes(head)))
        limit = connection.welcome.packet_bytes
        if limit < WITHOUT_LIMIT and _packet_bytes(topic, sending.payload, properties) > limit:
            raise _too_large(f"the broker takes {limit} bytes")
        refusal = self._judge(await connection.line.publish(topic, sending.payload, properties))
        if refusal is not None:
            raise refusal

    def _judge(self, word: Word) -> AllearsError | None:
        """The PUBACK. Below 0x80 the broker has it, which is not to say that anybody will."""
        if word.code == NO_READER and not self.settings.accept_no_reader:
            return RetryLater(f"nobody subscribes to {self.settings.topic}/#, so the broker kept nothing")
        if word.code < 0x80:
            return None
        if word.code in NOT_ALLOWED:
            return self._forbidden(word)
        if word.code == TOO_LARGE:
            return _too_large(word.reason or str(word))
        if word.code == BAD_TOPIC:
            return ConfigError(
                f"the broker refuses the topic {self.settings.topic}/…: mend `topic`", detail=word.reason
            )
        if word.code == BAD_PAYLOAD:
            return Rejected(f"the broker refuses it: {word}", detail=word.reason)
        return RetryLater(f"the broker takes nothing now: {word}", detail=word.reason)

    def _forbidden(self, word: Word) -> AuthError:
        return AuthError(f"the user may not publish on {self.settings.topic}/#", detail=word.reason or str(word))


def _properties(attributes: dict[str, str]) -> Properties:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho annotates no properties
    properties.ContentType = MEDIA_TYPE
    properties.PayloadFormatIndicator = UTF_8
    properties.UserProperty = list(attributes.items())
    made: Properties = properties
    return made


def _packet_bytes(topic: str, payload: bytes, properties: Properties) -> int:
    """Of a PUBLISH, at most."""
    packed = properties.pack()  # type: ignore[no-untyped-call]  # paho annotates no properties
    return len(topic.encode()) + len(payload) + len(packed) + OVERHEAD_BYTES


def _too_large(limit: str) -> Rejected:
    return Rejected(f"larger than it may be ({limit}); lower max_body_bytes, or raise the broker's limit")


def _check_welcome(welcome: Welcome) -> None:
    """Raises what the CONNACK says."""
    word = welcome.word
    if word.code == SUCCESS:
        if welcome.qos < 1:
            raise ConfigError("the broker grants QoS 0 only, and so confirms nothing")
        return
    if word.code in NOT_ALLOWED:
        raise AuthError("the broker refuses the user, password or client_id", detail=word.reason or str(word))
    if word.code in OTHER_PROTOCOL:
        raise ConfigError("the broker does not speak MQTT 5")
    if word.code in ELSEWHERE or word.code == BAD_CLIENT_ID:
        raise ConfigError(f"the broker says: {word}; mend `url` or `client_id`", detail=word.reason)
    raise RetryLater(f"the broker lets nobody in now: {word}", detail=word.reason)


def _told(welcome: Welcome) -> str:
    limit = (
        f"packets of up to {welcome.packet_bytes} bytes"
        if welcome.packet_bytes < WITHOUT_LIMIT
        else "packets of any size"
    )
    return f"takes {limit}; whether anybody subscribes shows only when an event goes out"
