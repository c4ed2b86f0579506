"""WebSockets of the one client, on a server that really listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from allears_sdk.errors import Unavailable
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock


@dataclass
class Echo:
    url: str = ""
    headers: list[str] = field(default_factory=list)
    never_closes: bool = False

    async def answer(self, request: web.Request) -> web.WebSocketResponse:
        self.headers.append(request.headers.get("x-who", ""))
        socket = web.WebSocketResponse(autoclose=not self.never_closes)
        await socket.prepare(request)
        async for frame in socket:
            if frame.data == "bye":
                break
            if frame.data == "drop":
                assert request.transport is not None
                request.transport.abort()
            elif isinstance(frame.data, str):
                await socket.send_str(frame.data)
            else:
                await socket.send_bytes(frame.data)
        if self.never_closes:
            await asyncio.sleep(5)
        return socket


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    echo = Echo()
    app = web.Application()
    app.router.add_get("/link", echo.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    echo.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/link?ticket=s3cr3t"
    yield echo
    await runner.cleanup()


@pytest.fixture
def remote() -> Remote:
    return Remote(clock=FakeClock())


async def test_frames_go_and_come_until_the_server_closes(echo: Echo, remote: Remote) -> None:
    async with remote.socket(echo.url, headers={"X-Who": "allears"}) as socket:
        await socket.send("屏幕碎了😡")
        assert await socket.receive() == "屏幕碎了😡"
        await socket.send(b"\x00\xff")
        assert await socket.receive() == b"\x00\xff"
        await socket.send("bye")
        assert await socket.receive() is None
    assert echo.headers == ["allears"]


async def test_a_frame_above_the_limit_ends_the_connection(echo: Echo, remote: Remote) -> None:
    async with remote.socket(echo.url, max_bytes=1000) as socket:
        await socket.send("长" * 1000)
        with pytest.raises(Unavailable):
            await socket.receive()


async def test_a_connection_that_breaks_is_not_taken_for_a_message(echo: Echo, remote: Remote) -> None:
    async with remote.socket(echo.url) as socket:
        await socket.send("drop")
        assert await socket.receive() is None


async def test_nobody_there_and_no_socket_there(echo: Echo, remote: Remote) -> None:
    for url in ("ws://127.0.0.1:9/link?ticket=s3cr3t", echo.url.replace("/link", "/other")):
        with pytest.raises(Unavailable) as caught:
            async with remote.socket(url):
                pass
        assert "s3cr3t" not in f"{caught.value} {caught.value.detail}"


async def test_cancelling_does_not_wait_for_the_other_side(echo: Echo, remote: Remote) -> None:
    echo.never_closes = True

    async def hear() -> None:
        async with remote.socket(echo.url) as socket:
            await socket.receive()

    task = asyncio.create_task(hear())
    await asyncio.sleep(0.1)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=1)
    assert done
