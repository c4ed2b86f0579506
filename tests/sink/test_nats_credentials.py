"""Credentials files, against a server that trusts an operator: the JWTs are made here as its tools make them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.js.api import StreamConfig

from allears_sdk.errors import AuthError, ConfigError
from allears_sdk.sink import Progress
from allears_sdk.testing.context import make_context
from allears_sdk.testing.records import make_event
from bench.servers.nats import Nats
from sink.nats import NatsSettings, NatsSink

OPERATOR, ACCOUNT, USER = 14 << 3, 0, 20 << 3
SEED = 18 << 3
LIMITS = {
    "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1,
    "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
}  # fmt: skip
CREDENTIALS = """\
-----BEGIN NATS USER JWT-----
{jwt}
------END NATS USER JWT------

************************* IMPORTANT *************************
NKEY Seed printed below can be used to sign and prove identity.

-----BEGIN USER NKEY SEED-----
{seed}
------END USER NKEY SEED------
"""


class Pair:
    """A key pair in NATS' spelling."""

    def __init__(self, kind: int, number: int) -> None:
        raw = bytes([number]) * 32
        self.key = Ed25519PrivateKey.from_private_bytes(raw)
        self.public = spell(bytes([kind]) + self.key.public_key().public_bytes_raw())
        self.seed = spell(bytes([SEED | kind >> 5, (kind & 31) << 3]) + raw)

    def sign(self, subject: Pair, **claims: Any) -> str:
        body = {"jti": "x", "iat": 1_700_000_000, "iss": self.public, "sub": subject.public, "name": "allears"}
        parts = ({"typ": "JWT", "alg": "ed25519-nkey"}, {**body, "nats": {**claims, "version": 2}})
        text = ".".join(url64(json.dumps(part).encode()) for part in parts)
        return f"{text}.{url64(self.key.sign(text.encode()))}"


def spell(raw: bytes) -> str:
    return base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")


def url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass(frozen=True)
class Realm:
    server: Nats
    account: Pair


@pytest.fixture(scope="module")
def realm() -> Iterator[Realm]:
    operator, account, system = Pair(OPERATOR, 1), Pair(ACCOUNT, 2), Pair(ACCOUNT, 5)
    ours = operator.sign(account, type="account", limits=LIMITS)
    theirs = operator.sign(system, type="account", limits={**LIMITS, "mem_storage": 0, "disk_storage": 0})
    configuration = "\n".join(
        [
            f"operator: {operator.sign(operator, type='operator')}",
            f"system_account: {system.public}",
            "resolver: MEMORY",
            f"resolver_preload: {{ {account.public}: {ours}, {system.public}: {theirs} }}",
        ]
    )
    with Nats(configuration) as server:
        yield Realm(server, account)


def sink_with(realm: Realm, folder: Path, *, user: Pair, seed: str = "") -> NatsSink:
    jwt = realm.account.sign(user, type="user", pub={}, sub={}, subs=-1, data=-1, payload=-1)
    file = folder / "allears.creds"
    file.write_text(CREDENTIALS.format(jwt=jwt, seed=seed or user.seed))
    settings = NatsSettings(sink="nats", servers=(realm.server.url,), subject="C", credentials_file=file)
    return NatsSink(settings, make_context("bus", folder))


async def save(note: object) -> None:
    raise AssertionError("nothing here is noted")


async def publish(sink: NatsSink) -> None:
    event, key = make_event(), "ALE-7K3M-Q9TX-4RWD-AB12CD"
    await sink.open(sink.render(event, key), key, Progress(note={}, save=save))


async def test_a_user_of_an_account_gets_in_by_file(realm: Realm, tmp_path: Path) -> None:
    sink = sink_with(realm, tmp_path, user=Pair(USER, 3))
    session = (await sink._dial()).connection
    await session.stream.add_stream(StreamConfig(name="C", subjects=["C.>"]))
    await session.client.close()
    await publish(sink)
    assert (await sink.check()).details == ("stream C, limits retention, 1 replicas",)
    await sink.stop()


async def test_a_seed_of_somebody_else_is_refused(realm: Realm, tmp_path: Path) -> None:
    with pytest.raises(AuthError):
        await publish(sink_with(realm, tmp_path, user=Pair(USER, 3), seed=Pair(USER, 4).seed))


@pytest.mark.parametrize("seed", ["SUAAAA", "S" * 58, "0189", Pair(USER, 3).seed[:-1] + "7"])
async def test_a_damaged_seed_is_named_and_not_shown(realm: Realm, tmp_path: Path, seed: str) -> None:
    sink = sink_with(realm, tmp_path, user=Pair(USER, 3), seed=seed)
    with pytest.raises(ConfigError, match="seed is damaged") as caught:
        await sink.start()
    assert seed not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", "-----BEGIN NATS USER JWT-----\n投诉".encode()])
async def test_a_file_that_holds_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "allears.creds"
    file.write_bytes(content)
    settings = NatsSettings(sink="nats", servers=("nats://127.0.0.1:1",), credentials_file=file)
    with pytest.raises(ConfigError, match="credentials_file"):
        await NatsSink(settings, make_context("bus", tmp_path)).start()


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    settings = NatsSettings(sink="nats", servers=("nats://127.0.0.1:1",), credentials_file=tmp_path / "no.creds")
    with pytest.raises(ConfigError, match="No such file"):
        await NatsSink(settings, make_context("bus", tmp_path)).start()
