"""The public room over a real socket: limits, addresses, and what it never tells."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from allears.http.public import PublicServer
from allears.intake.reception import Refused
from allears_sdk.connector import Answer, Request
from allears_sdk.errors import ConfigError
from allears_sdk.testing import FakeClock


class House:
    """Stands where the intake stands: answers by name, and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.forms: Sequence[str] = ("form",)
        self.caps = {"form": 1000, "客服": 1000}
        self.signed: frozenset[str] = frozenset()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.answer: Callable[[Request], Answer] = lambda request: Answer(
            body=b'{"reference": "ALE-7K3M-Q9TX-4RWD"}', media_type="application/json", headers={"X-Kind": "form"}
        )

    async def receive(self, name: str, request: Request, task: object = None) -> Answer:
        if name not in self.caps:
            return Answer(status=404)
        self.requests.append(request)
        await self.go_on.wait()
        return self.answer(request)

    def max_body_bytes(self, name: str) -> int:
        return self.caps.get(name, 0)

    def is_signed(self, name: str) -> bool:
        return name in self.signed

    def channels_of(self, connector: str) -> Sequence[str]:
        return self.forms if connector == "form" else ()


@asynccontextmanager
async def room(house: House, **settings: Any) -> AsyncIterator[tuple[PublicServer, str]]:
    server = PublicServer(house, settings.pop("clock", FakeClock()), **settings)
    await server.start()
    try:
        yield server, f"http://127.0.0.1:{server.port}"
    finally:
        house.go_on.set()
        await server.stop()


async def test_a_request_reaches_its_channel_whole(house: House) -> None:
    async with room(house) as (server, url), aiohttp.ClientSession() as client:
        async with client.post(f"{url}/in/form/page?a=1&a=2&lang=zh%2DCN", data="充电器冒烟".encode()) as answer:
            assert answer.status == 200
            assert await answer.json() == {"reference": "ALE-7K3M-Q9TX-4RWD"}
            assert answer.headers["X-Kind"] == "form"
            assert "Server" not in answer.headers
        (request,) = house.requests
        assert (request.method, request.path) == ("POST", "/page")
        assert list(request.query) == [("a", "1"), ("a", "2"), ("lang", "zh-CN")]
        assert request.body.decode() == "充电器冒烟"
        assert request.header("content-type") == "application/octet-stream"
        assert request.remote_address == "127.0.0.1"
        assert server.requests == {("form", 200): 1}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
async def test_methods_pass_through_and_names_may_be_chinese(house: House, method: str) -> None:
    async with room(house) as (_, url), aiohttp.ClientSession() as client:
        async with client.request(method, f"{url}/in/客服") as answer:
            assert answer.status == 200
        assert [request.method for request in house.requests] == [method]


async def test_the_root_leads_to_the_one_form_and_otherwise_tells_nothing(house: House) -> None:
    async with room(house) as (_, url), aiohttp.ClientSession() as client:
        async with client.get(url, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, "/in/form")
        house.forms = ("form", "秘密")
        async with client.get(url) as answer:
            assert answer.status == 200
            assert "秘密" not in await answer.text()
        for path in ("/healthz", "/metrics", "/in", "/in/", "/in/admin.php", "/favicon.ico"):
            async with client.get(url + path) as answer:
                assert answer.status == 404


async def test_strangers_do_not_fill_the_counters(house: House) -> None:
    async with room(house) as (server, url), aiohttp.ClientSession() as client:
        for number in range(5):
            await (await client.get(f"{url}/in/guess-{number}")).release()
        assert server.requests == {("", 404): 5}


async def test_a_body_is_as_large_as_the_channel_and_the_room_allow(house: House) -> None:
    async with room(house, max_body_bytes=5000) as (_, url), aiohttp.ClientSession() as client:
        for size, status in ((1000, 200), (1001, 413), (900_000, 413)):
            async with client.post(f"{url}/in/form", data=b"x" * size) as answer:
                assert answer.status == status
        async with client.post(f"{url}/in/form", data=_chunks(1001)) as answer:
            assert answer.status == 413
        house.caps["form"] = 1 << 20
        async with client.post(f"{url}/in/form", data=_chunks(5001)) as answer:
            assert answer.status == 413
        async with client.post(f"{url}/in/form", data=_chunks(5000)) as answer:
            assert answer.status == 200
    assert [len(request.body) for request in house.requests] == [1000, 5000]


async def _chunks(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 400):
        yield b"x" * min(400, size - start)
        await asyncio.sleep(0)


async def test_a_small_parcel_that_unpacks_to_much_is_refused(house: House) -> None:
    async with room(house) as (_, url), aiohttp.ClientSession() as client:
        async with client.post(f"{url}/in/form", data=b"\0" * 400_000, compress="gzip") as answer:
            assert answer.status == 413
        assert not house.requests


async def test_a_body_that_does_not_come_is_408(house: House) -> None:
    async with room(house, body_seconds=0.1) as (server, _):
        answer = await converse(server.port, b"POST /in/form HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"close" in answer.lower()
        assert not house.requests


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /in/form HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /in/form HTTP/1.1\r\nHost: x\r\n" + b"X-Many: 1\r\n" * 500 + b"\r\n",
        b"POST /in/form HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /in/form HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /in/form HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 30\r\n\r\nx",
        b"POST /in/form HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\nx",
        b"GET /in/form HTTP/1.1\r\nHost: x\r\nX-Nul: a\0b\r\n\r\n",
        b"GET /in/form HTTP/1.1\r\nHost: x\r\nX Space: a\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_and_told_nothing(house: House, sent: bytes) -> None:
    async with room(house) as (server, _):
        answer = await converse(server.port, sent)
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
        assert b"aiohttp" not in answer
        assert b"Traceback" not in answer
        assert not house.requests


async def test_headers_that_never_end_are_not_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allears.http.public.KEEP_ALIVE_SECONDS", 0.2)
    async with room(house) as (server, _):
        assert await converse(server.port, b"POST /in/form HTTP/1.1\r\nHost: x\r\nX-Slow: ") == b""
    assert not house.requests


async def converse(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        async with asyncio.timeout(5):
            return await reader.read(65536)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_an_address_has_a_rate_and_gets_it_back_with_time(house: House) -> None:
    clock = FakeClock()
    async with room(house, rate_limit_per_minute=6, clock=clock) as (_, url), aiohttp.ClientSession() as client:
        for _ in range(6):
            await (await client.get(f"{url}/in/form")).release()
        async with client.post(f"{url}/in/form", data=b"again") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "10")
        assert len(house.requests) == 6
        clock.advance(10)
        async with client.get(f"{url}/in/form") as answer:
            assert answer.status == 200


async def test_a_platform_that_signs_is_never_told_to_slow_down(house: House) -> None:
    house.signed = frozenset({"客服"})
    async with room(house, rate_limit_per_minute=2) as (_, url), aiohttp.ClientSession() as client:
        for _ in range(20):
            async with client.post(f"{url}/in/客服", data=b"burst") as answer:
                assert answer.status == 200
        house.answer = lambda request: Refused(status=401) if request.body == b"forged" else Answer()
        statuses = []
        for _ in range(4):
            async with client.post(f"{url}/in/客服", data=b"forged") as answer:
                statuses.append(answer.status)
        assert statuses == [401, 401, 429, 429]
        async with client.post(f"{url}/in/客服", data=b"signed") as answer:
            assert answer.status == 200, "who forges from a platform's address takes nothing from the platform"
        async with client.post(f"{url}/in/form", data=b"unsigned") as answer:
            assert answer.status == 429


async def test_behind_a_trusted_proxy_customers_are_told_apart(house: House) -> None:
    async with (
        room(house, rate_limit_per_minute=1, trusted_proxies=["127.0.0.0/8"]) as (_, url),
        aiohttp.ClientSession() as client,
    ):
        for address, status in (("203.0.113.7", 200), ("203.0.113.8", 200), ("203.0.113.7", 429)):
            async with client.get(f"{url}/in/form", headers={"X-Forwarded-For": f"6.6.6.6, {address}"}) as answer:
                assert answer.status == status
        assert [request.remote_address for request in house.requests] == ["203.0.113.7", "203.0.113.8"]


async def test_without_one_the_header_is_only_a_claim(house: House) -> None:
    async with room(house) as (_, url), aiohttp.ClientSession() as client:
        await (await client.get(f"{url}/in/form", headers={"X-Forwarded-For": "10.0.0.1"})).release()
        assert house.requests[0].remote_address == "127.0.0.1"


async def test_with_a_certificate_the_room_speaks_tls(house: House, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(certificate))
    async with (
        room(house, tls_certificate=certificate, tls_key=key) as (server, _),
        aiohttp.ClientSession() as client,
        client.post(f"https://127.0.0.1:{server.port}/in/form", data=b"x", ssl=trust) as answer,
    ):
        assert (server.scheme, answer.status) == ("https", 200)
    certificate.write_text("not a certificate")
    with pytest.raises(ConfigError, match="tls_certificate"):
        await PublicServer(house, FakeClock(), tls_certificate=certificate, tls_key=key).start()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, secret.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(secret, hashes.SHA256())
    )
    certificate, key = folder / "chain.pem", folder / "key.pem"
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, key


async def test_stopping_finishes_what_runs(house: House) -> None:
    house.go_on.clear()
    server = PublicServer(house, FakeClock())
    await server.start()
    async with aiohttp.ClientSession() as client:
        asked = asyncio.create_task(client.post(f"http://127.0.0.1:{server.port}/in/form", data=b"last one"))
        async with asyncio.timeout(5):
            while not house.requests:  # noqa: ASYNC110 - the house rings no bell
                await asyncio.sleep(0.001)
        port = server.port
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.05)
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.get(f"http://127.0.0.1:{port}/in/form")
        house.go_on.set()
        async with await asked as answer:
            assert answer.status == 200
        await stopping


async def test_a_taken_port_is_an_error_that_says_what_to_do(house: House) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port}: .*; stop what listens there, or set another"):
            await PublicServer(house, FakeClock(), port=port).start()


async def test_an_answer_that_cannot_be_made_is_500_and_the_connection_goes_on(house: House) -> None:
    def fail(request: Request) -> Answer:
        raise ValueError("客户电话 13800138000")

    async with room(house) as (_, url), aiohttp.ClientSession() as client:
        house.answer = fail
        async with client.post(f"{url}/in/form", data=b"x") as answer:
            assert answer.status == 500
            assert await answer.read() == b""


@pytest.fixture
async def house() -> House:
    return House()
