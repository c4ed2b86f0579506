"""Over a socket: the addresses that leave are those Graph documents, whatever the HTTP client makes of `$` and `=`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.graph_mail import GraphMailConnector
from tests.connectors.graph_mail.conftest import APPLICATION, make_settings
from tests.connectors.graph_mail.graph import Graph, make_mail


@pytest.fixture
async def context(tmp_path: Path, clock: FakeClock, journal: MiniJournal) -> AsyncIterator[Context]:
    """On aiohttp's transport, as the daemon has it."""
    context = make_context("support-365", tmp_path, clock=clock, known=journal.known)
    yield context
    await context.remote.aclose()


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, Graph]]:
    graph = Graph(most_per_page=2)

    async def answer(request: web.Request) -> web.Response:
        seen = httpx.Request(
            request.method, f"{url}{request.raw_path}", headers=dict(request.headers), content=await request.read()
        )
        given = graph.answer(seen)
        kind = given.headers.get("content-type", "application/json")
        return web.Response(status=given.status_code, body=given.content, headers={"content-type": kind})

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    graph.root = f"{url}/v1.0"
    yield url, graph
    await runner.cleanup()


@pytest.mark.parametrize("after", ["seen", "delete", "move"])
async def test_a_mailbox_is_read_and_settled(
    server: tuple[str, Graph], context: Context, journal: MiniJournal, after: str
) -> None:
    url, graph = server
    bodies = [make_mail(f"第{number}单：屏幕碎了") for number in range(5)]
    keys = [graph.put(body, folder="AQMkSub") for body in bodies]
    more: dict[str, Any] = {"after": after, "move_to": "Filed" if after == "move" else ""}
    oauth = {**APPLICATION, "token_url": f"{url}/oauth2/v2.0/token"}
    connector = GraphMailConnector(make_settings(url=url, oauth=oauth, folders=["inbox/投诉"], **more), context)
    await hear(connector, journal, limit=2)
    await hear(connector, journal, limit=2)
    assert {raw.key: raw.body for raw in journal.raws} == dict(zip(keys, bodies, strict=True))
    target = {"seen": "AQMkSub", "delete": "AQMkDeleted", "move": "AQMkFiled"}[after]
    assert graph.lying_in(target) == keys
    assert (await connector.check()).details[0].startswith("投诉: ")
