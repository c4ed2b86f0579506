"""Headless Chromium, driven over the DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

from tests.conftest import missing

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
]


class PageGone(Exception):
    """The page was left for another one while it was asked."""


class Tab:
    """One page."""

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

    async def open(self, address: str, ready: str = "true") -> None:
        await self.call("Page.navigate", url=address)
        await self.until(f"document.readyState === 'complete' && ({ready})")

    async def resize(self, width: int, height: int, *, is_phone: bool = False) -> None:
        """As a phone also the pointer is a finger."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": is_phone}
        await self.call("Emulation.setDeviceMetricsOverride", **metrics)
        await self.call("Emulation.setTouchEmulationEnabled", enabled=is_phone)

    async def prefer(self, **features: str) -> None:
        """Media features, `_` for `-`: `prefers_color_scheme="dark"`."""
        wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        await self.call("Emulation.setEmulatedMedia", features=wanted)

    async def press(self, key: str, *, text: str = "", modifiers: int = 0) -> None:
        facts = {"key": key, "code": key, "modifiers": modifiers, "windowsVirtualKeyCode": 13 if key == "Enter" else 27}
        await self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **facts)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **facts)

    async def photograph(self, file: Path) -> None:
        shot = await self.call("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Tab]:
    """A new browser with one empty page; its profile lies in `folder`. Skips where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        missing("Chromium")
    browser = await asyncio.create_subprocess_exec(
        str(program),
        *_FLAGS,
        f"--user-data-dir={folder / 'browser'}",
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
