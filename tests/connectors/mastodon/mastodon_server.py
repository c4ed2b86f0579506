"""mastodon-mock, a server of the Mastodon API that others wrote, on real HTTP, and what people do on it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import ClientSession, FormData

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

SHOP, ANA, BOB, ROBOT = "shop-token-7f3a9c21", "ana-token", "bob-token", "robot-token"
"""Their tokens: of our account, of customers, and of an account that is marked as automated."""


class Mastodon:
    """Its `url` answers."""

    def __init__(self, app: FastAPI, url: str) -> None:
        self.app = app
        self.url = url
        self._session = ClientSession()

    async def say(self, text: str, *, by: str = ANA, **fields: Any) -> dict[str, Any]:
        """A post. `media` are files' ids."""
        media = fields.pop("media", [])
        said = {"status": text, **fields} | ({"media_ids": media} if media else {})
        return await self._call("POST", "/api/v1/statuses", by, json=said)

    async def edit(self, status: str, text: str, *, by: str = ANA) -> None:
        await self._call("PUT", f"/api/v1/statuses/{status}", by, json={"status": text})

    async def delete(self, status: str, *, by: str = ANA) -> None:
        await self._call("DELETE", f"/api/v1/statuses/{status}", by)

    async def upload(self, content: bytes, description: str = "", *, by: str = ANA) -> str:
        form = FormData()
        form.add_field("file", content, filename="invoice.png", content_type="image/png")
        form.add_field("description", description)
        return str((await self._call("POST", "/api/v2/media", by, data=form))["id"])

    async def answers(self, *, to: str) -> list[dict[str, Any]]:
        """What stands under a post."""
        context = await self._call("GET", f"/api/v1/statuses/{to}/context", ANA)
        return list(context["descendants"])

    async def account(self, token: str) -> dict[str, Any]:
        return await self._call("GET", "/api/v1/accounts/verify_credentials", token)

    async def follow(self, account: str, *, by: str = SHOP) -> None:
        await self._call("POST", f"/api/v1/accounts/{account}/follow", by)

    def fail(self, path: str, status: int, headers: dict[str, str] | None = None, kind: str = "status") -> None:
        """Once, for a path with `*` in it."""
        effect = {"type": kind, "status": status, "headers": headers or {}}
        self.app.state.fault_store.add({"match": {"path": path}, "effect": effect, "count": 1})

    @property
    def listeners(self) -> int:
        return len(self.app.state.event_bus._subscribers)

    def publish(self, account: str, name: str, payload: Any) -> None:
        """Tell whoever listens as that account."""
        from mastodon_mock.streaming import publish, user_channel

        publish(self.app, name, payload, {user_channel(int(account))})

    async def close(self) -> None:
        await self._session.close()

    async def _call(self, method: str, path: str, token: str, **given: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        async with self._session.request(method, self.url + path, headers=headers, **given) as response:
            text = await response.text()
            assert response.status < 300, f"{method} {path}: {response.status} {text[:200]}"
            answer: dict[str, Any] = json.loads(text or "{}")
            return answer


@asynccontextmanager
async def running() -> AsyncIterator[Mastodon]:
    import uvicorn
    from mastodon_mock.app import create_app
    from mastodon_mock.config import MastodonMockConfig

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    listening = socket.create_server(("127.0.0.1", 0))
    host = f"127.0.0.1:{listening.getsockname()[1]}"
    app = create_app(MastodonMockConfig.model_validate({"domain": host, "url_scheme": "http", "seed": _seed()}))
    config = uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=0)
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await until(lambda: server.started)
    mastodon = Mastodon(app, f"http://{host}")
    try:
        yield mastodon
    finally:
        await mastodon.close()
        server.should_exit = server.force_exit = True
        await serving
        app.state.engine.dispose()


async def until(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in a server that rings no bell
            await asyncio.sleep(0.005)


def _seed() -> dict[str, Any]:
    people = {
        "shop": (SHOP, "晨光商城"),
        "ana": (ANA, "Ana 安娜"),
        "bob": (BOB, "Bob"),
        "robot": (ROBOT, "RSS Robot"),
    }
    accounts = [
        {"username": name, "access_token": token, "display_name": shown, "bot": name == "robot"}
        for name, (token, shown) in people.items()
    ]
    return {"accounts": accounts}
