from __future__ import annotations

import asyncio
import gzip
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest
import respx
from aiohttp import web

from allears_sdk.errors import AllearsError, AuthError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.remote import PrivateAddress, Remote
from allears_sdk.remote.guard import check_url, guarded_resolver
from allears_sdk.testing import FakeClock


@dataclass
class Server:
    """A real server on loopback: `/status/N`, `/cut`, `/hang`, `/to?…`, `/big`, `/bomb`, `/echo`."""

    url: str = ""
    other_url: str = ""
    hits: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    cut_first: int = 0
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.hits.append(request)
        self.bodies.append(await request.read())
        assert request.transport is not None
        if self.cut_first:
            self.cut_first -= 1
            request.transport.abort()
        match request.path.split("/")[1:]:
            case ["status", status]:
                return web.Response(status=int(status), text="Authorization: Bearer tok-1234567890 was wrong 错误")
            case ["hang"]:
                self.hanging.set()
                await asyncio.sleep(30)
            case ["to"]:
                return web.Response(status=302, headers={"location": request.query["next"]})
            case ["loop"]:
                return web.Response(status=302, headers={"location": "/loop"})
            case ["big"]:
                return web.Response(body=b"x" * 100_000)
            case ["bomb"]:
                return web.Response(body=gzip.compress(bytes(50 << 20)), headers={"content-encoding": "gzip"})
            case ["bad-gzip"]:
                return web.Response(body=b"no gzip", headers={"content-encoding": "gzip"})
            case ["gbk"]:
                return web.Response(body="投诉".encode("gbk"), headers={"content-type": "text/plain; charset=gbk"})
            case ["cookie"]:
                return web.Response(headers={"set-cookie": "session=of-another-account"})
        return web.json_response({"query": request.query_string, "文": "好"})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application(client_max_size=8 << 20)
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    for _ in range(2):
        await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url, server.other_url = (f"http://127.0.0.1:{address[1]}" for address in runner.addresses)
    yield server
    await runner.cleanup()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def remote(clock: FakeClock) -> AsyncIterator[Remote]:
    remote = Remote(clock=clock, sleep=clock.sleep)
    yield remote
    await remote.aclose()


async def test_bodies_and_answers_of_every_kind(remote: Remote, server: Server) -> None:
    answer = await remote.request("GET", server.url + "/echo", params={"q": "退款 refund"})
    assert answer.status == 200
    assert answer.json() == {"query": "q=退款 refund", "文": "好"}
    assert answer.header("Content-Type").startswith("application/json")
    assert (await remote.request("GET", server.url + "/gbk")).text() == "投诉"
    await remote.request("POST", server.url, json={"描述": "坏了😡"})
    await remote.request("POST", server.url, data={"a": "退款"})
    await remote.request("PUT", server.url, content=b"\x00\xff")
    await remote.request("POST", server.url, files={"file": ("碎屏 照片.jpg", b"\xff\xd8", "image/jpeg")})
    assert server.bodies[2] == '{"描述":"坏了😡"}'.encode()
    assert server.bodies[3] == b"a=%E9%80%80%E6%AC%BE"
    assert server.bodies[4] == b"\x00\xff"
    assert b"\xff\xd8" in server.bodies[5]


async def test_large_bodies_arrive_whole_and_their_length_is_said(remote: Remote, server: Server) -> None:
    large = bytes(range(256)) * (3 << 12) + "尾".encode()
    server.cut_first = 1
    await remote.request("POST", server.url, content=large, repeatable=True)
    await remote.request("POST", server.url, json={"文": "投" * (1 << 20)})
    assert server.bodies[:2] == [large, large]
    assert len(server.bodies[2]) == int(server.hits[2].headers["Content-Length"]) > 3 << 20
    assert "Transfer-Encoding" not in server.hits[0].headers


@pytest.mark.parametrize(
    ("status", "get", "post"),
    [
        (302, Unavailable, InDoubt),
        (400, Rejected, Rejected),
        (401, AuthError, AuthError),
        (404, Rejected, Rejected),
        (408, Unavailable, InDoubt),
        (429, RetryLater, RetryLater),
        (500, Unavailable, InDoubt),
        (502, Unavailable, InDoubt),
        (503, RetryLater, RetryLater),
    ],
)
async def test_status_to_error(
    remote: Remote, server: Server, status: int, get: type[AllearsError], post: type[AllearsError]
) -> None:
    url = f"{server.url}/status/{status}?access_token=tok-query"
    for method, expected in (("GET", get), ("POST", post)):
        with pytest.raises(expected) as caught:
            await remote.request(method, url, headers={"Authorization": "Bearer tok-1234567890"})
        assert type(caught.value) is expected
        assert str(status) in str(caught.value)
        assert "错误" in caught.value.detail
        for secret in ("tok-query", "tok-1234567890"):
            assert secret not in str(caught.value) + caught.value.detail
    assert (await remote.request("POST", url, raise_for_status=False)).status == status


async def test_only_what_may_be_repeated_is_repeated(remote: Remote, server: Server, clock: FakeClock) -> None:
    server.cut_first = 2
    assert (await remote.request("GET", server.url)).status == 200
    assert len(server.hits) == 3
    assert len(clock.slept) == 2
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        server.hits.clear()
        await remote.request(method, server.url)  # the connection is warm: a cut on it must not be repeated either
        server.cut_first = 1
        with pytest.raises(InDoubt):
            await remote.request(method, server.url)
        assert len(server.hits) == 2, method
    server.hits.clear()
    server.cut_first = 2
    await remote.request("POST", server.url, repeatable=True)
    assert len(server.hits) == 3
    server.cut_first = 3
    with pytest.raises(Unavailable):
        await remote.request("GET", server.url)


async def test_time_outs(remote: Remote, server: Server) -> None:
    with pytest.raises(InDoubt, match=r"no answer within 0\.2 s"):
        await remote.request("POST", server.url + "/hang", timeout_seconds=0.2)
    with pytest.raises(Unavailable):
        await remote.request("GET", server.url + "/hang", timeout_seconds=0.1)
    assert len(server.hits) == 4


async def test_nothing_was_sent_where_nobody_listens(remote: Remote) -> None:
    with pytest.raises(Unavailable):
        await remote.request("POST", "http://127.0.0.1:1/x")


async def test_a_server_that_speaks_something_else_leaves_a_post_in_doubt(remote: Remote) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"220 mail.example.cn ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(InDoubt):
        await remote.request("POST", f"http://127.0.0.1:{port}/", content=b"x")
    server.close()


async def test_a_server_that_hangs_up_before_reading_leaves_a_post_in_doubt(remote: Remote) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(InDoubt):
        await remote.request("POST", f"http://127.0.0.1:{port}/", content=b"x" * 1_000_000)
    server.close()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"X-Name": "a\r\nHost: evil"}, b"x"),
        ({"X-Name": "张三"}, b"x"),
        ({"X-Name": "ok"}, object()),
        ({"X-Name": "ok"}, {"not a number": float("nan")}),
        ({"X-Name": "ok"}, "half an emoji \ud83d"),
    ],
)
async def test_what_cannot_be_written_down_is_surely_not_sent(
    remote: Remote, server: Server, headers: dict[str, str], body: object
) -> None:
    with pytest.raises(Rejected, match="cannot be sent"):
        await remote.request("POST", server.url, headers=headers, json=body if body != b"x" else None)
    assert not server.hits


@pytest.mark.parametrize("url", ["", "example.com/x", "ftp://example.com/", "http://", "http://[bad/", "http://a b/"])
async def test_no_url(remote: Remote, url: str) -> None:
    with pytest.raises(Rejected):
        await remote.request("POST", url)
    with pytest.raises(Rejected):
        await remote.fetch_public(url, 100)


async def test_answers_that_are_not_json(remote: Remote, server: Server) -> None:
    with pytest.raises(Unavailable):
        (await remote.request("GET", server.url + "/gbk")).json()
    with pytest.raises(InDoubt):
        (await remote.request("POST", server.url + "/gbk")).json()
    with pytest.raises(InDoubt):
        await remote.request("POST", server.url + "/bad-gzip")


@pytest.mark.parametrize("path", ["/big", "/bomb"])
async def test_size_cap(remote: Remote, server: Server, path: str) -> None:
    with pytest.raises(Rejected, match="larger than 5000 bytes"):
        await remote.request("GET", server.url + path, max_bytes=5000)
    answer = await remote.request("POST", server.url + path, max_bytes=5000)
    assert (answer.is_cut, len(answer.content)) == (True, 5000)
    assert not (await remote.request("GET", server.url + "/big", max_bytes=100_000)).is_cut


async def test_redirects(remote: Remote, server: Server) -> None:
    headers = {"Authorization": "Bearer tok-1", "X-Api-Key": "k", "Accept": "text/plain"}
    await remote.request("GET", server.url + "/to?next=/echo", headers=headers)
    assert server.hits[-1].headers["Authorization"] == "Bearer tok-1"
    answer = await remote.request("GET", f"{server.url}/to?next={server.other_url}/echo", headers=headers)
    assert answer.url == server.other_url + "/echo"
    assert server.hits[-1].headers["Accept"] == "text/plain"
    assert "Authorization" not in server.hits[-1].headers
    assert "X-Api-Key" not in server.hits[-1].headers
    server.hits.clear()
    with pytest.raises(Rejected, match="redirects"):
        await remote.request("GET", server.url + "/loop")
    assert len(server.hits) == 4
    server.hits.clear()
    with pytest.raises(InDoubt):
        await remote.request("POST", server.url + "/to?next=/echo")
    assert len(server.hits) == 1


async def test_user_info_in_a_url_logs_in(remote: Remote, server: Server) -> None:
    url = server.url.replace("http://", "http://intake:p%40ss@") + "/status/500"
    with pytest.raises(InDoubt) as caught:
        await remote.request("POST", url)
    assert server.hits[0].headers["Authorization"] == "Basic aW50YWtlOnBAc3M="
    assert "p%40ss" not in str(caught.value)


@pytest.mark.parametrize(
    "target", ["/images/Chsy%3D%3D?to=a%2Fb%3Ac&x=%7E", "/a%20b/%E6%8A%95?q=%E8%AF%89+1%2B1", "/a=b/c:d"]
)
async def test_what_is_encoded_goes_out_as_it_was_written(remote: Remote, server: Server, target: str) -> None:
    """Signatures cover the path and the query as they are on the wire."""
    await remote.request("GET", server.url + target)
    assert server.hits[-1].raw_path == target


async def test_cookies_of_one_account_never_reach_another(remote: Remote, server: Server) -> None:
    await remote.request("GET", server.url + "/cookie")
    await remote.request("GET", server.url + "/echo")
    assert "Cookie" not in server.hits[-1].headers


async def test_rate_limit_per_account(remote: Remote, server: Server, clock: FakeClock) -> None:
    remote.limit("shop-1", per_second=2, burst=2)
    for _ in range(5):
        await remote.request("GET", server.url, account="shop-1")
        await remote.request("GET", server.url, account="shop-2")
    assert clock.slept == pytest.approx([0.5, 0.5, 0.5])
    clock.advance(10)
    await remote.request("GET", server.url, account="shop-1")
    assert len(clock.slept) == 3


@pytest.mark.parametrize(
    ("header", "value", "seconds"),
    [
        ("Retry-After", "7", 7.0),
        ("Retry-After", "Sun, 22 Nov 2026 04:01:00 GMT", 60.0),
        ("Retry-After", "Sun, 22 Nov 2026 03:00:00 GMT", 0.0),
        ("Retry-After", "99999999", 86_400.0),
        ("Retry-After", "tomorrow", None),
        ("X-RateLimit-Reset", "30", 30.0),
        ("X-RateLimit-Reset", "1795320090", 90.0),
        ("X-RateLimit-Reset", "1795320090000", 90.0),
        ("X-RateLimit-Reset", "2026-11-22T04:05:00.000000Z", 300.0),
        ("X-RateLimit-Reset", "soon", None),
        ("X-Other", "1", None),
    ],
)
async def test_when_to_come_back(clock: FakeClock, header: str, value: str, seconds: float | None) -> None:
    remote = Remote(clock=clock, transport=httpx.AsyncHTTPTransport)
    with respx.mock(using="httpcore") as router:
        router.post("https://api.example.com/").respond(429, headers={header: value})
        with pytest.raises(RetryLater) as caught:
            await remote.request("POST", "https://api.example.com/")
    assert caught.value.after_seconds == seconds
    await remote.aclose()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (httpx.ConnectError, Unavailable),
        (httpx.ConnectTimeout, Unavailable),
        (httpx.PoolTimeout, Unavailable),
        (httpx.ProxyError, Unavailable),
        (httpx.ReadTimeout, InDoubt),
        (httpx.ReadError, InDoubt),
        (httpx.WriteError, InDoubt),
        (httpx.WriteTimeout, InDoubt),
        (httpx.RemoteProtocolError, InDoubt),
    ],
)
async def test_faults_of_another_transport(
    clock: FakeClock, fault: type[httpx.TransportError], expected: type[AllearsError]
) -> None:
    remote = Remote(clock=clock, sleep=clock.sleep, transport=httpx.AsyncHTTPTransport)
    with respx.mock(using="httpx") as router:
        route = router.post("https://api.example.com/").mock(side_effect=fault)
        with pytest.raises(expected):
            await remote.request("POST", "https://api.example.com/")
        assert route.call_count == 1
    await remote.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0.0.0.0/",
        "http://10.0.0.5/a.jpg",
        "http://172.16.3.4/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://224.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
    ],
)
def test_private_literal_addresses(url: str) -> None:
    with pytest.raises(PrivateAddress):
        check_url(url)


@pytest.mark.parametrize(
    "url", ["http://8.8.8.8/", "https://[2606:4700::1111]/x", "https://cdn.example.com:8443/图.jpg"]
)
def test_public_urls_pass(url: str) -> None:
    check_url(url)


class Names:
    """A resolver that answers from a list, one answer after the other."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        return [
            {"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": 0}
            for address in self.answers.pop(0)
        ]

    async def close(self) -> None:
        """Nothing to close."""


async def test_every_address_of_a_name_is_checked_at_connect_time() -> None:
    names = Names(["93.184.216.34"], ["93.184.216.34", "10.0.0.1"], ["::1"], ["fe80::1%eth0"])
    resolver = guarded_resolver(names)  # type: ignore[arg-type] # a stand-in of the same shape
    assert len(await resolver.resolve("a.example.com", 80)) == 1
    for _ in range(3):
        with pytest.raises(PrivateAddress):
            await resolver.resolve("a.example.com", 80)


async def test_customers_urls_never_reach_private_networks(remote: Remote, server: Server) -> None:
    port = server.url.rpartition(":")[2]
    for url in (server.url, f"http://localhost:{port}/", f"http://user@localhost:{port}/x.jpg"):
        with pytest.raises(PrivateAddress):
            await remote.fetch_public(url, 1000)
    assert not server.hits


async def test_urls_are_not_logged(remote: Remote, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await remote.request("GET", server.url + "/echo?access_token=tok-query")
    ours = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]
    assert not [line for line in ours if "tok-query" in line]


async def test_cancelling_ends_a_request_at_once(remote: Remote, server: Server) -> None:
    task = asyncio.create_task(remote.request("GET", server.url + "/hang"))
    await server.hanging.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 1)


def test_importing_the_client_imports_no_http_library() -> None:
    script = (
        "import sys; from datetime import datetime; import allears_sdk.remote;"
        "print([name for name in ('httpx', 'aiohttp', 'tenacity', 'pydantic') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
