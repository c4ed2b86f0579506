"""A shop's page with the widget on it, and the chat it talks to, on two ports; and words for what a visitor does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from allears_sdk.connector import Accepted, Batch, Request
from allears_sdk.message import Message, Raw
from allears_sdk.reference import reference, seed
from allears_sdk.testing import make_context
from allears_sdk.testing.journal import MiniJournal
from connectors.webchat import WebchatConnector, WebchatSettings
from tests.chromium import Tab

IDENTITY = "shared-with-the-website"

READY = "document.getElementById('allears-chat')"
ROOT = "document.getElementById('allears-chat').shadowRoot"
OPEN = f"{ROOT}.querySelector('.launch').click()"
SEND = f"{ROOT}.querySelector('.write').requestSubmit()"
STATES = f"[...{ROOT}.querySelectorAll('.state')].map((line) => line.dataset.state)"
SAID = f"[...{ROOT}.querySelectorAll('.said')].map((line) => line.textContent)"
NUMBER = f"{ROOT}.querySelector('output').textContent"


def write(text: str) -> str:
    return f"{ROOT}.querySelector('textarea').value = {json.dumps(text)}; {SEND}"


def states(*expected: str) -> str:
    return f"JSON.stringify({STATES}) === {json.dumps(json.dumps(expected, separators=(',', ':')))}"


def choose(name: str, media_type: str, size: int) -> str:
    return (
        f"(() => {{ const input = {ROOT}.querySelector('input[type=file]'); const given = new DataTransfer();"
        f" given.items.add(new File([new Uint8Array({size}).fill(7)], {json.dumps(name)}, {{type: '{media_type}'}}));"
        " input.files = given.files; input.dispatchEvent(new Event('change')); })()"
    )


def complaints(tab: Tab) -> list[str]:
    return [complaint for complaint in tab.complaints if "favicon" not in complaint]


class House:
    """The chat behind a bare server that can refuse to store, or lose its answers, and a shop on another port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = MiniJournal()
        self.is_down = False
        self.loses_answers = False
        self.asked: list[str] = []
        self.chat = ""
        self.shop = ""
        self.page = ""
        self.headers: dict[str, str] = {}

    def configure(self, **settings: Any) -> None:
        known = {"allowed_origins": [self.shop], "identity_secret": IDENTITY, **settings}
        self._chat = WebchatConnector(WebchatSettings.model_validate(known), make_context("help", self.folder))

    def write_page(self, *, attributes: str = "", language: str = "zh", style: str = "", body: str = "") -> None:
        head = '<meta name="viewport" content="width=device-width">' + (f"<style>{style}</style>" if style else "")
        script = f'<script src="{self.chat}/widget.js" async {attributes}></script>'
        self.page = f'<!doctype html><html lang="{language}"><head>{head}</head><body>{body}{script}</body></html>'

    async def serve_page(self, http: web.BaseRequest) -> web.Response:
        return web.Response(text=self.page, content_type="text/html", headers=self.headers)

    async def serve_chat(self, http: web.BaseRequest) -> web.Response:
        reception = await self._chat.receive(
            Request(
                method=http.method,
                path=http.path.removeprefix("/in/help"),
                query=list(http.query.items()),
                headers=list(http.headers.items()),
                body=await http.read(),
                remote_address="127.0.0.1",
                received_at=datetime.now(UTC),
            )
        )
        self.asked.append(f"{http.method} {http.path}")
        if reception.raws and self.is_down:
            return web.Response(status=503)
        accepted = [self._accept(raw) for raw in reception.raws]
        if accepted and self.loses_answers and http.transport:
            http.transport.abort()
        answer = reception.answer(accepted)
        headers = {**answer.headers, "Content-Type": answer.media_type}
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    def _accept(self, raw: Raw) -> Accepted:
        is_new = self.journal.accept("", Batch(raws=[raw])) == 1
        return Accepted(key=raw.key, is_new=is_new, reference=reference(seed(raw.thread)))

    @property
    def raws(self) -> list[Raw]:
        return self.journal.raws

    @property
    def messages(self) -> Sequence[Message]:
        return [message for raw in self.raws for message in WebchatConnector.parse(raw, None)]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[House]:
    house = House(folder)
    runners = []
    for handler in (house.serve_chat, house.serve_page):
        runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
    ports = [runner.addresses[0][1] for runner in runners]
    house.chat, house.shop = f"http://127.0.0.1:{ports[0]}/in/help", f"http://localhost:{ports[1]}"
    house.configure()
    house.write_page()
    yield house
    for runner in runners:
        await runner.cleanup()
