"""A connection to an MQTT 5 broker: paho-mqtt speaks the protocol, our own loop moves its bytes.

aiomqtt does the same and drops the reason code of a PUBACK, which alone says whether anybody keeps the message.
Source: OASIS, "MQTT Version 5.0".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allears_sdk.errors import Unavailable

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

KEEP_ALIVE_SECONDS = 30
BEAT_SECONDS = 10
IN_FLIGHT = 256
"""As many as a batch has; a broker that takes fewer at once says so."""
WITHOUT_LIMIT = 1 << 30


@dataclass(frozen=True, slots=True)
class Word:
    """What the broker said: a reason code and, where it gave one, its reason."""

    code: int
    name: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.name} (0x{self.code:02X})"


@dataclass(frozen=True, slots=True)
class Welcome:
    """The CONNACK."""

    word: Word
    client_id: str
    """That the broker gave, where we had none."""
    packet_bytes: int
    at_once: int
    qos: int
    """The highest it grants."""


class MqttLine:
    """Of one connection, from the CONNECT that is on its way to its end; it never comes back.

    Nothing waits inside paho: what is not on the wire yet waits here, and is gone with the caller who gave up."""

    def __init__(self, client: Client, lost: asyncio.Event) -> None:
        """`client.connect` has returned."""
        self.farewell: Word | None = None
        """What the broker said when it closed the connection."""
        self.why_lost = ""
        self._loop = asyncio.get_running_loop()
        self._client, self._lost = client, lost
        self._welcome: asyncio.Future[Welcome] = self._loop.create_future()
        self._room = asyncio.Semaphore(IN_FLIGHT)
        self._waiting: dict[int, asyncio.Future[Word]] = {}
        client.on_connect, client.on_publish, client.on_disconnect = self._welcomed, self._answered, self._ended
        self._attach()

    async def welcome(self) -> Welcome:
        """Raises Unavailable when the connection ends before it."""
        welcome = await self._welcome
        self._room = asyncio.Semaphore(min(IN_FLIGHT, welcome.at_once))
        return welcome

    async def publish(self, topic: str, payload: bytes, properties: Properties) -> Word:
        """By QoS 1, and wait for the PUBACK. Raises Unavailable when nothing was sent."""
        async with self._room:
            info = self._client.publish(topic, payload, qos=1, properties=properties)
            if info.rc:
                raise Unavailable("the connection was lost before")
            answer: asyncio.Future[Word] = self._loop.create_future()
            self._waiting[info.mid] = answer
            try:
                return await answer
            finally:
                self._waiting.pop(info.mid, None)

    def close(self) -> None:
        """At once. The broker is told only where nothing else would go out with it."""
        self._beat.cancel()
        sock = self._client.socket()
        if sock is None:
            return
        if not self._waiting and not self._client.want_write():
            self._client.disconnect()
            self._client.loop_write()
        self._forget(sock)
        sock.close()

    def _attach(self) -> None:
        client, sock = self._client, self._client.socket()
        if sock is None:
            raise Unavailable("no connection")
        client.on_socket_register_write = lambda *_: self._loop.add_writer(sock.fileno(), self._write)
        client.on_socket_unregister_write = self._rest
        client.on_socket_close = lambda *_: self._forget(sock)
        self._loop.add_reader(sock.fileno(), self._read)
        self._beat = self._loop.call_later(BEAT_SECONDS, self._live)
        if client.want_write():
            self._loop.add_writer(sock.fileno(), self._write)

    def _forget(self, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_reader(sock.fileno())
            self._loop.remove_writer(sock.fileno())

    def _read(self) -> None:
        """Of TLS, also what has been decrypted already: the socket below will not call for that."""
        self._do(self._client.loop_read)
        while (sock := self._client.socket()) is not None and hasattr(sock, "pending") and sock.pending():
            self._do(self._client.loop_read)

    def _write(self) -> None:
        self._do(self._client.loop_write)

    def _rest(self, _client: Client, _userdata: Any, sock: Any) -> None:
        self._loop.remove_writer(sock.fileno())

    def _live(self) -> None:
        """Ask whether the broker is still there, now and then."""
        self._do(self._client.loop_misc)
        if not self._lost.is_set():
            self._beat = self._loop.call_later(BEAT_SECONDS, self._live)

    def _do(self, step: Callable[[], object]) -> None:
        """Whatever a broken connection makes paho say, or packets that cannot be read, is its end."""
        try:
            failed = step()
        except Exception as error:
            self._lose(str(error) or type(error).__name__)
        else:
            if failed:
                self._lose("connection lost")

    def _lose(self, why: str) -> None:
        self.why_lost = self.why_lost or why
        self._lost.set()
        if not self._welcome.done():
            self._welcome.set_exception(Unavailable(f"no connection: {self.why_lost}"))
        sock = self._client.socket()
        if sock is not None:
            self._forget(sock)

    def _welcomed(
        self, _client: Client, _userdata: Any, _flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if not self._welcome.done():
            self._welcome.set_result(
                Welcome(
                    word=_word(reason, properties),
                    client_id=str(_of(properties, "AssignedClientIdentifier", "")),
                    packet_bytes=_of(properties, "MaximumPacketSize", WITHOUT_LIMIT),
                    at_once=_of(properties, "ReceiveMaximum", IN_FLIGHT),
                    qos=_of(properties, "MaximumQoS", 2),
                )
            )

    def _answered(
        self, _client: Client, _userdata: Any, message: int, reason: ReasonCode, properties: Properties | None
    ) -> None:
        waiting = self._waiting.get(message)
        if waiting is not None and not waiting.done():
            waiting.set_result(_word(reason, properties))

    def _ended(
        self, _client: Client, _userdata: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self.farewell = _word(reason, properties)
            self._lose(f"the broker closed it: {self.farewell}")
        else:
            self._lose(str(reason))


def _word(reason: ReasonCode, properties: Properties | None) -> Word:
    return Word(code=reason.value, name=str(reason), reason=str(_of(properties, "ReasonString", "")))


def _of(properties: Properties | None, name: str, default: Any) -> Any:
    return getattr(properties, name, default) if properties is not None else default
