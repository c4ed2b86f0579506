"""The page in a real browser: double clicks, a failing network, switching language, a narrow phone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, web

from allears_sdk.connector import Accepted, Request
from allears_sdk.message import Raw
from allears_sdk.testing import make_context
from connectors.form import FormConnector, FormSettings

REFERENCE = "ALE-7K3M-Q9TX-4RWD"
QUIET = [
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = [pytest.mark.services, pytest.mark.timeout(120)]


class Site:
    """The form behind a bare server that can refuse to store."""

    def __init__(self, folder: Path) -> None:
        self._form = FormConnector(FormSettings(), make_context("support", folder))
        self.raws: list[Raw] = []
        self.is_down = False
        self.delay_seconds = 0.0
        self.address = ""

    async def handle(self, http: web.BaseRequest) -> web.Response:
        request = Request(
            method=http.method,
            path=http.path.removeprefix("/in/support"),
            query=list(http.query.items()),
            headers=list(http.headers.items()),
            body=await http.read(),
            remote_address="127.0.0.1",
            received_at=datetime.now(UTC),
        )
        reception = await self._form.receive(request)
        await asyncio.sleep(self.delay_seconds if reception.raws else 0)
        if reception.raws and self.is_down:
            return web.Response(status=503)
        self.raws += reception.raws
        answer = reception.answer([Accepted(key=raw.key, is_new=True, reference=REFERENCE) for raw in reception.raws])
        headers = {**answer.headers, "Content-Type": answer.media_type}
        return web.Response(status=answer.status, body=answer.body, headers=headers)


class PageGone(Exception):
    """The page was left for another one while it was asked."""


class Tab:
    """One page, driven over the DevTools protocol."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._count = 0
        self.complaints: list[str] = []
        """What the browser's console says: errors, and violations of the page's policy."""

    async def call(self, method: str, **parameters: Any) -> Any:
        self._count += 1
        await self._socket.send_json({"id": self._count, "method": method, "params": parameters})
        while (answer := await self._socket.receive_json()).get("id") != self._count:
            if answer.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.complaints.append(json.dumps(answer["params"]))
        if "error" in answer:
            raise PageGone(answer["error"]["message"])
        return answer["result"]

    async def run(self, script: str) -> Any:
        found = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return found["result"].get("value")

    async def until(self, script: str) -> None:
        """Waits until the script gives something true."""
        for _ in range(200):
            with contextlib.suppress(PageGone):
                if await self.run(f"!!({script})"):
                    return
            await asyncio.sleep(0.05)
        raise AssertionError(f"never came true: {script}")

    async def open(self, address: str) -> None:
        await self.call("Page.navigate", url=address)
        await self.until("document.readyState === 'complete' && document.documentElement.classList.contains('js')")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path)
    runner = web.ServerRunner(web.Server(site.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.address = f"http://127.0.0.1:{runner.addresses[0][1]}/in/support"
    yield site
    await runner.cleanup()


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must provide Chromium")
        pytest.skip("needs Chromium")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", *QUIET, "--remote-debugging-port=0"]
    browser = await asyncio.create_subprocess_exec(
        chromium,
        *flags,
        f"--user-data-dir={tmp_path / 'browser'}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{await _port(browser)}/json/list") as answer:
                page = next(target for target in await answer.json() if target["type"] == "page")
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                tab = Tab(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await tab.call(f"{domain}.enable")
                yield tab
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        await browser.communicate()


async def _port(browser: asyncio.subprocess.Process) -> int:
    assert browser.stderr
    async for line in browser.stderr:
        if found := re.search(rb"DevTools listening on ws://127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise AssertionError("Chromium ended before it listened")


FILL = "document.getElementById('text').value = '电饭煲坏了😡'"
CLICK = "document.getElementById('submit').click()"


async def test_a_double_click_sends_once_and_shows_the_reference(tab: Tab, site: Site) -> None:
    site.delay_seconds = 0.3
    await tab.open(f"{site.address}?lang=zh")
    await tab.run(f"{FILL}; {CLICK}; {CLICK}; document.getElementById('form').requestSubmit()")
    await tab.until("document.getElementById('reference')")
    assert await tab.run("document.getElementById('reference').textContent") == REFERENCE
    assert len(site.raws) == 1
    assert "电饭煲坏了😡".encode() in site.raws[0].body
    assert not [complaint for complaint in tab.complaints if "favicon" not in complaint]


async def test_what_was_typed_survives_an_outage_and_is_the_same_when_sent_again(tab: Tab, site: Site) -> None:
    site.is_down = True
    await tab.open(f"{site.address}?lang=en")
    submission = await tab.run("document.forms[0].elements.submission.value")
    await tab.run(f"{FILL}; {CLICK}")
    await tab.until("document.querySelector('#notice li')")
    assert "not been sent yet" in await tab.run("document.querySelector('#notice li').textContent")
    assert await tab.run("document.getElementById('text').value") == "电饭煲坏了😡"
    site.is_down = False
    await tab.run(CLICK)
    await tab.until("document.getElementById('reference')")
    assert [raw.key for raw in site.raws] == [f"form:{submission}"]


async def test_switching_language_takes_along_what_was_typed(tab: Tab, site: Site) -> None:
    await tab.open(f"{site.address}?lang=zh")
    await tab.run(f"{FILL}; document.getElementById('switch').click()")
    await tab.until("document.documentElement.lang === 'en' && document.readyState === 'complete'")
    await tab.until("document.getElementById('text').value === '电饭煲坏了😡'")


async def test_without_script_the_browser_posts_the_form_itself(tab: Tab, site: Site) -> None:
    await tab.call("Emulation.setScriptExecutionDisabled", value=True)
    await tab.call("Page.navigate", url=f"{site.address}?lang=zh")
    await tab.until("document.getElementById('submit')")
    await tab.run(f"{FILL}; {CLICK}")
    await tab.until("document.getElementById('reference')")
    assert len(site.raws) == 1


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("path", ["", "/poster"])
async def test_nothing_sticks_out_of_a_narrow_phone(tab: Tab, site: Site, lang: str, path: str) -> None:
    await tab.call("Emulation.setDeviceMetricsOverride", width=320, height=640, deviceScaleFactor=2, mobile=True)
    await tab.open(f"{site.address}{path}?lang={lang}")
    assert await tab.run("document.documentElement.scrollWidth") <= 320
