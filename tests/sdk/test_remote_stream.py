"""An answer that goes on: read while it comes, ended from either side, silence noticed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from allears_sdk.errors import AuthError, RetryLater, Unavailable
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock


async def events(request: web.Request) -> web.StreamResponse:
    """`/say` says two things and ends, `/wait` falls silent after one, `/cut` breaks off, `/N` answers N."""
    word = request.path.removeprefix("/")
    if word.isdecimal():
        return web.Response(status=int(word), text="no", headers={"retry-after": "7"})
    answer = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
    await answer.prepare(request)
    await answer.write("data: 有新邮件\n\n".encode())
    if word == "wait":
        await asyncio.sleep(30)
    if word == "cut":
        assert request.transport is not None
        request.transport.abort()
    await answer.write(b"data: 2\n\n")
    return answer


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{word}", events)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def remote() -> AsyncIterator[Remote]:
    remote = Remote(clock=FakeClock())
    yield remote
    await remote.aclose()


async def test_chunks_come_as_they_are_sent_until_the_end(remote: Remote, url: str) -> None:
    async with remote.stream(f"{url}/say") as stream:
        assert (stream.status, stream.media_type) == (200, "text/event-stream")
        said = b"".join([chunk async for chunk in stream.chunks])
    assert said.decode() == "data: 有新邮件\n\ndata: 2\n\n"


async def test_leaving_early_ends_it(remote: Remote, url: str) -> None:
    async with asyncio.timeout(2):
        async with remote.stream(f"{url}/wait") as stream:
            async for chunk in stream.chunks:
                assert chunk.startswith(b"data")
                break


@pytest.mark.parametrize("word", ["wait", "cut"])
async def test_silence_and_loss_are_noticed(remote: Remote, url: str, word: str) -> None:
    with pytest.raises(Unavailable):
        async with remote.stream(f"{url}/{word}", silence_seconds=0.3) as stream:
            assert [chunk async for chunk in stream.chunks]


@pytest.mark.parametrize(("status", "error"), [(401, AuthError), (503, RetryLater), (302, Unavailable)])
async def test_what_is_no_stream_says_what_it_is(remote: Remote, url: str, status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        async with remote.stream(f"{url}/{status}"):
            raise AssertionError("it was opened")


async def test_nothing_to_say(remote: Remote, url: str) -> None:
    async with remote.stream(f"{url}/204") as stream:
        assert stream.status == 204


async def test_nobody_there(remote: Remote) -> None:
    with pytest.raises(Unavailable):
        async with remote.stream("http://127.0.0.1:9/"):
            raise AssertionError("it was opened")
