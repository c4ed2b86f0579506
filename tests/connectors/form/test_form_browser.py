"""The page in a real browser: double clicks, a failing network, switching language, a narrow phone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from allears_sdk.connector import Accepted, Request
from allears_sdk.message import Raw
from allears_sdk.testing import make_context
from connectors.form import FormConnector, FormSettings
from tests.chromium import Tab, chromium

REFERENCE = "ALE-7K3M-Q9TX-4RWD"
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
    async with chromium(tmp_path) as tab:
        yield tab


READY = "document.documentElement.classList.contains('js')"
FILL = "document.getElementById('text').value = '电饭煲坏了😡'"
CLICK = "document.getElementById('submit').click()"


async def test_a_double_click_sends_once_and_shows_the_reference(tab: Tab, site: Site) -> None:
    site.delay_seconds = 0.3
    await tab.open(f"{site.address}?lang=zh", READY)
    await tab.run(f"{FILL}; {CLICK}; {CLICK}; document.getElementById('form').requestSubmit()")
    await tab.until("document.getElementById('reference')")
    assert await tab.run("document.getElementById('reference').textContent") == REFERENCE
    assert len(site.raws) == 1
    assert "电饭煲坏了😡".encode() in site.raws[0].body
    assert not [complaint for complaint in tab.complaints if "favicon" not in complaint]


async def test_what_was_typed_survives_an_outage_and_is_the_same_when_sent_again(tab: Tab, site: Site) -> None:
    site.is_down = True
    await tab.open(f"{site.address}?lang=en", READY)
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
    await tab.open(f"{site.address}?lang=zh", READY)
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
    await tab.resize(320, 640, is_phone=True)
    await tab.open(f"{site.address}{path}?lang={lang}", READY)
    assert await tab.run("document.documentElement.scrollWidth") <= 320


async def test_a_dark_page_is_dark(tab: Tab, site: Site) -> None:
    await tab.prefer(prefers_color_scheme="dark")
    await tab.open(f"{site.address}?lang=zh", READY)
    ground, ink = await tab.run("[getComputedStyle(document.body).backgroundColor, getComputedStyle(text).color]")
    assert (ground, ink) == ("rgb(23, 20, 17)", "rgb(239, 232, 224)")
