"""Mosquitto on loopback, from Debian's package, and a reader that has subscribed to all that comes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.servers import process
from bench.servers.certificate import make_certificate
from bench.servers.unprivileged import Home

PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
CONNECT = b"\x10\x10\x00\x04MQTT\x05\x02\x00\x05\x00\x00\x03ask"
"""Who asks is told, be it that he may not come in."""
WAIT_SECONDS = 10
RELOADED = b"Reloading config."
BARRIER = "test/barrier"


class Mosquitto:
    """`with Mosquitto() as server`: then `server.url`. A stop and a start keep what is kept for absent readers."""

    def __init__(self, *options: str) -> None:
        """`options`: further lines of its configuration."""
        self.port = self.plain_port = process.free_port()
        self.url = f"mqtt://{process.LOOPBACK}:{self.port}"
        self._home = Home("mosquitto")
        self._options = options
        self._log = self.folder / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._users: Mapping[str, str] | None = None
        self.allow(rules="topic readwrite #")

    @property
    def folder(self) -> Path:
        return self._home.path

    @staticmethod
    def program() -> str | None:
        """Where it is installed, or None."""
        return shutil.which("mosquitto", path=PLACES)

    def allow(self, *, rules: str, users: Mapping[str, str] | None = None) -> None:
        """Who may come in (None: anybody), and what they may do, as in an `acl_file`. One that runs takes it in, and
        sends away whose password is not the one it was."""
        (self.folder / "acl").write_text(f"{rules}\n", "utf-8")
        passwords = self.folder / "passwords"
        if users and users != self._users:
            passwords.write_text("".join(f"{name}:{password}\n" for name, password in (users or {}).items()), "utf-8")
            subprocess.run(["mosquitto_passwd", "-U", passwords], check=True, env={**os.environ, "PATH": PLACES})
        self._users = users
        lines = (
            f"listener {self.port} {process.LOOPBACK}",
            f"allow_anonymous {'false' if users else 'true'}",
            f"acl_file {self.folder}/acl",
            *([f"password_file {passwords}"] if users else []),
            "persistence true",
            f"persistence_location {self.folder}/",
            *self._options,
        )
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n", "utf-8")
        for path in self.folder.iterdir():
            path.chmod(0o644)
        if self._process is not None:
            self._reload()

    def encrypt(self) -> Path:
        """From now on `port` takes TLS alone, and `plain_port` takes readers. Returns what to trust."""
        certificate = make_certificate(self.folder)
        self.plain_port = process.free_port()
        self._options = (
            f"certfile {certificate}",
            f"keyfile {certificate}",
            f"listener {self.plain_port} {process.LOOPBACK}",
            *self._options,
        )
        self.stop()
        self.allow(rules="topic readwrite #")
        self.start()
        return certificate

    def wait_for_log(self, words: bytes, times: int = 1) -> None:
        """Until it has said so that often."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self._log.read_bytes().count(words) < times:
            if time.monotonic() > deadline:
                raise TimeoutError(f"mosquitto does not say {words!r}")
            time.sleep(0.02)

    def _reload(self) -> None:
        """A connection that comes after it meets the new rules: one thread does one thing after the other."""
        assert self._process is not None
        times = self._log.read_bytes().count(RELOADED)
        os.kill(self._process.pid, signal.SIGHUP)
        self.wait_for_log(RELOADED, times + 1)
        assert _is_ready(self.plain_port)

    def start(self) -> None:
        program = self.program()
        if program is None:
            raise RuntimeError("mosquitto is not installed")
        command = [program, "-c", str(self.folder / "mosquitto.conf")]
        self._process = process.start(command, self._log, self.plain_port, is_ready=_is_ready, user=self._home.user)

    def stop(self) -> None:
        if self._process is not None:
            process.stop(self._process)
            self._process = None

    def kill(self) -> None:
        """As a machine that loses its power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


class Subscriber:
    """A reader in a thread of its own. Named, the broker keeps what comes while it is away."""

    def __init__(self, port: int, topic: str, *, name: str = "", username: str = "", password: str = "") -> None:
        self.messages: list[Any] = []
        """`paho.mqtt.client.MQTTMessage`, as they came."""
        self._port, self._topic, self._name, self._login = port, topic, name, (username, password)
        self._seen: set[bytes] = set()
        self._barriers = 0
        self._changed = threading.Condition()

    def start(self) -> None:
        from paho.mqtt.client import Client, MQTTv5
        from paho.mqtt.enums import CallbackAPIVersion
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        self._is_subscribed = False
        self._client = Client(CallbackAPIVersion.VERSION2, self._name, protocol=MQTTv5)
        if self._login[0]:
            self._client.username_pw_set(*self._login)
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = self._note
        self._client.on_message = self._take
        kept: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho annotates no properties
        kept.SessionExpiryInterval = 3600 if self._name else 0
        self._client.connect(process.LOOPBACK, self._port, clean_start=not self._name, properties=kept)
        self._client.loop_start()
        self._wait(lambda: self._is_subscribed)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def settle(self) -> list[Any]:
        """All that the broker had for us when this was called."""
        self._barriers += 1
        sign = b"%d" % self._barriers
        self._client.publish(BARRIER, sign, qos=1)
        self._wait(lambda: sign in self._seen)
        return list(self.messages)

    def wait_for(self, count: int) -> list[Any]:
        """What was kept may come later than what comes now."""
        self._wait(lambda: len(self.messages) >= count)
        return list(self.messages)

    def __enter__(self) -> Subscriber:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _subscribe(self, *_: Any) -> None:
        self._client.subscribe([(f"{self._topic}/#", 1), (BARRIER, 1)])

    def _note(self, *_: Any) -> None:
        with self._changed:
            self._is_subscribed = True
            self._changed.notify_all()

    def _take(self, _client: Any, _userdata: Any, message: Any) -> None:
        with self._changed:
            if message.topic == BARRIER:
                self._seen.add(message.payload)
            else:
                self.messages.append(message)
            self._changed.notify_all()

    def _wait(self, is_so: Any) -> None:
        with self._changed:
            if not self._changed.wait_for(is_so, WAIT_SECONDS):
                raise TimeoutError("the broker does not answer its reader")


def _is_ready(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((process.LOOPBACK, port), 1) as sock:
        sock.settimeout(5)
        sock.sendall(CONNECT)
        return sock.recv(1) == b"\x20"
    return False
