"""The fault proxy itself: what passes unchanged, and what each trouble does to the store and to the one who asked."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from allears_sdk.testing.memory import Fault
from bench.servers.desk import LOGIN_PAGE, Mishap, Trouble
from bench.servers.fault_proxy import FaultProxy


class Store:
    """Keeps what it gets, and answers with what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[tuple[str, bytes, dict[str, str]]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((request.raw_path, await request.read(), dict(request.headers)))
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": f"http://{request.host}/there?a=b"})
        return web.json_response({"made": len(self.got), "标题": "投诉"}, status=201, headers={"ETag": '"abc"'})


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    store = Store()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", store.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    store.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield store
    await runner.cleanup()


@pytest.fixture
async def proxy(store: Store) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(store.url) as proxy:
        yield proxy


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as client:
        yield client


async def test_what_passes_is_not_touched(store: Store, proxy: FaultProxy, client: aiohttp.ClientSession) -> None:
    form = aiohttp.FormData()
    form.add_field("file", b"\x00\xff" * 9, filename="碎屏 照片.jpg", content_type="image/jpeg")
    path = "/t/rest?query=Queue%3D'%E6%8A%95%E8%AF%89'&cf_1=ALE%2B1&x:=y"
    headers = {"Origin": proxy.url, "Authorization": "Basic dTpw", "If-Match": '"etag"'}
    async with client.post(proxy.url + path.replace(" ", "%20"), data=form, headers=headers) as answer:
        assert (answer.status, answer.headers["ETag"]) == (201, '"abc"')
        assert await answer.json() == {"made": 1, "标题": "投诉"}
    ((got_path, body, got_headers),) = store.got
    assert got_path.partition("?")[0] == "/t/rest"
    assert "%E6%8A%95%E8%AF%89" in got_path
    assert "ALE%2B1" in got_path
    assert b"\x00\xff" * 9 in body
    assert "碎屏 照片.jpg".encode() in body or b"%E7%A2%8E%E5%B1%8F" in body
    assert got_headers["Origin"] == store.url
    assert (got_headers["Authorization"], got_headers["If-Match"]) == ("Basic dTpw", '"etag"')
    assert got_headers["Content-Type"].startswith("multipart/form-data; boundary=")


async def test_redirects_are_passed_on_with_their_address_translated(
    proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    async with client.get(f"{proxy.url}/moved", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, f"{proxy.url}/there?a=b")


@pytest.mark.parametrize("trouble", [Fault.LOSE_ANSWER, Fault.LATE, Mishap.CUT_BEFORE])
async def test_a_broken_connection(
    store: Store, proxy: FaultProxy, client: aiohttp.ClientSession, trouble: Trouble
) -> None:
    proxy.plan(trouble)
    with pytest.raises(aiohttp.ClientError):
        await client.post(f"{proxy.url}/issues", json={"title": "投诉"})
    assert len(store.got) == (trouble is Fault.LOSE_ANSWER)
    await proxy.land()
    assert len(store.got) == (trouble is not Mishap.CUT_BEFORE)


@pytest.mark.parametrize(
    ("trouble", "status", "done"),
    [
        (Mishap.BROKEN_AFTER, 500, 1),
        (Mishap.TIMED_OUT_AFTER, 504, 1),
        (Mishap.TWICE, 201, 2),
        (Mishap.BUSY, 503, 0),
        (Fault.TOO_MANY, 429, 0),
        (Fault.EXPIRED, 401, 0),
        (Fault.REJECT, 422, 0),
        (Fault.GONE, 404, 0),
    ],
)
async def test_an_answer_that_is_not_the_store_s(
    store: Store, proxy: FaultProxy, client: aiohttp.ClientSession, trouble: Trouble, status: int, done: int
) -> None:
    proxy.plan(trouble)
    async with client.get(f"{proxy.url}/issues") as reading:
        assert reading.status == 201, "reading is not spoilt unless asked for"
    async with client.post(f"{proxy.url}/issues", json={}) as answer:
        assert answer.status == status
        assert (answer.headers.get("Retry-After") == "7") == (status in (429, 503))
    assert len(store.got) == 1 + done
    async with client.post(f"{proxy.url}/issues", json={}) as answer:
        assert answer.status == 201, "one call only"


async def test_garbage_comes_after_the_work(store: Store, proxy: FaultProxy, client: aiohttp.ClientSession) -> None:
    proxy.plan(Fault.GARBAGE, on="GET /issues$")
    async with client.get(f"{proxy.url}/issues") as answer:
        assert (answer.status, await answer.text()) == (200, LOGIN_PAGE)
    assert len(store.got) == 1


async def test_a_store_that_is_down_is_a_bad_gateway_and_a_proxy_that_is_down_is_nobody(
    proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    proxy.upstream = "http://127.0.0.1:1"
    async with client.post(f"{proxy.url}/issues") as answer:
        assert answer.status == 502
    assert proxy.answers == [("POST /issues", 0)]
    await proxy.fail_next(Fault.UNREACHABLE)
    async with aiohttp.ClientSession() as stranger:
        with pytest.raises(aiohttp.ClientConnectorError):
            await stranger.post(f"{proxy.url}/issues")


async def test_somebody_else_acts_between_the_work_and_its_answer(
    store: Store, proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    seen: list[int] = []

    async def act() -> None:
        seen.append(len(store.got))

    proxy.meanwhile("GET /issues/1$", act)
    for path, done in (("/issues", []), ("/issues/1", [2]), ("/issues/1", [2])):
        await client.get(proxy.url + path)
        assert seen == done


async def test_a_storm_is_the_same_for_the_same_seed(proxy: FaultProxy, client: aiohttp.ClientSession) -> None:
    async def weather() -> Counter[int]:
        proxy.storm(random.Random(7), {Mishap.BUSY: 0.3, Fault.TOO_MANY: 0.2})
        return Counter([(await client.post(f"{proxy.url}/issues")).status for _ in range(60)])

    first = await weather()
    assert first == await weather()
    assert set(first) == {201, 429, 503}
