"""What simulated stores share: whatever happens to a call, its work finds the request whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import pytest
from aiohttp import ClientError, ClientSession, FormData, web

from allears_sdk.testing.memory import Fault
from bench.servers.desk import Desk, Mishap


class Files(Desk):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[str, bytes]] = []

    def routes(self) -> Iterable[web.RouteDef]:
        return [web.post("/files", self._keep_file)]

    async def _keep_file(self, request: web.Request) -> web.Response:
        file = (await request.post())["file"]
        assert isinstance(file, web.FileField)
        self.kept.append((file.filename, file.file.read()))
        return web.Response(status=201)


@pytest.fixture
async def desk() -> AsyncIterator[Files]:
    desk = Files()
    await desk.start()
    yield desk
    await desk.stop()


async def send(desk: Files) -> int:
    """The status, 0 where no answer came."""
    form = FormData(quote_fields=False)
    form.add_field("file", b"\x89PNG", filename="碎屏.png", content_type="image/png")
    async with ClientSession() as session:
        try:
            async with session.post(f"{desk.url}/files", data=form) as answer:
                return answer.status
        except ClientError:
            return 0


@pytest.mark.parametrize(
    ("trouble", "status", "times"),
    [(Mishap.TWICE, 201, 2), (Fault.LATE, 0, 1), (Fault.LOSE_ANSWER, 0, 1), (Mishap.BROKEN_AFTER, 500, 1)],
)
async def test_files_of_a_form_are_whole(desk: Files, trouble: Fault | Mishap, status: int, times: int) -> None:
    desk.plan(trouble)
    assert await send(desk) == status
    await desk.land()
    assert desk.kept == [("碎屏.png", b"\x89PNG")] * times
