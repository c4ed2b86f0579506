"""The widget in a real browser, on a shop's page of another origin: networks that fail, reloads, phones, dark pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from allears_sdk.connector import Accepted, Batch, Request
from allears_sdk.message import Message, Raw
from allears_sdk.reference import reference, seed
from allears_sdk.signing import hmac_hex
from allears_sdk.testing import make_context
from allears_sdk.testing.journal import MiniJournal
from connectors.webchat import WebchatConnector, WebchatSettings
from tests.chromium import Tab, chromium

IDENTITY = "shared-with-the-website"
POLICY = "default-src 'none'; script-src 'self' {chat}; connect-src {chat}; require-trusted-types-for 'script'"
HOSTILE = (
    "* { font: 40px serif; color: red; border: 3px solid lime; } div { display: none !important; }"
    " html { font-size: 62px; }"
)
pytestmark = [pytest.mark.services, pytest.mark.timeout(120)]

READY = "document.getElementById('allears-chat')"
ROOT = "document.getElementById('allears-chat').shadowRoot"
OPEN = f"{ROOT}.querySelector('.launch').click()"
SEND = f"{ROOT}.querySelector('.write').requestSubmit()"
STATES = f"[...{ROOT}.querySelectorAll('.state')].map((line) => line.dataset.state)"
SAID = f"[...{ROOT}.querySelectorAll('.said')].map((line) => line.textContent)"
NUMBER = f"{ROOT}.querySelector('output').textContent"


FILES_LEFT = """new Promise((done) => {
  const open = indexedDB.open("allears:help");
  open.onsuccess = () => {
    const asked = open.result.transaction("files").objectStore("files").count();
    asked.onsuccess = () => done(asked.result);
  };
})"""
FRAME = """new Promise((done) => {
  const frame = document.createElement("iframe");
  Object.assign(frame, { src: location.href, onload: done });
  document.body.append(frame);
}).then(() => 1)"""
SECOND = "document.querySelector('iframe').contentDocument"
NO_STORAGE = """for (const name of ["localStorage", "indexedDB"])
  Object.defineProperty(window, name, { get() { throw new DOMException("no", "SecurityError"); } });"""


def write(text: str) -> str:
    return f"{ROOT}.querySelector('textarea').value = {json.dumps(text)}; {SEND}"


def states(*expected: str) -> str:
    return f"JSON.stringify({STATES}) === {json.dumps(json.dumps(expected, separators=(',', ':')))}"


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
        if http.path != "/":
            return web.Response(text="window.allearsChat = " + http.query_string, content_type="text/javascript")
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


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
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


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    async with chromium(tmp_path) as tab:
        yield tab


def complaints(tab: Tab) -> list[str]:
    return [complaint for complaint in tab.complaints if "favicon" not in complaint]


async def test_a_message_gets_its_reference_on_a_page_with_a_strict_policy(tab: Tab, house: House) -> None:
    house.headers = {"Content-Security-Policy": POLICY.format(chat=house.chat.removesuffix("/in/help"))}
    await tab.open(house.shop, READY)
    await tab.run(f"{OPEN}; {write('电饭煲坏了😡')}; {SEND}")
    await tab.until(states("sent"))
    (raw,) = house.raws
    (message,) = house.messages
    assert message.text == "电饭煲坏了😡"
    assert await tab.run(NUMBER) == reference(seed(raw.thread))
    assert await tab.run(f"{ROOT}.querySelector('.panel').getBoundingClientRect().width > 300")
    assert not complaints(tab)


async def test_nothing_is_lost_or_doubled_when_answers_get_lost(tab: Tab, house: House) -> None:
    """Stored, but the page never hears of it: it sends again, also after a reload, and it is still one message."""
    house.loses_answers = True
    await tab.open(house.shop, READY)
    await tab.run(f"{OPEN}; {write('第一句')}; {write('第二句')}")
    await tab.until(states("later", "later"))
    await tab.open(house.shop, READY)
    await tab.until(f"{SAID}.length === 2")
    house.loses_answers = False
    await tab.run("window.dispatchEvent(new Event('online'))")
    await tab.until(states("sent", "sent"))
    assert [message.text for message in house.messages] == ["第一句", "第二句"]
    assert house.asked.count("POST /in/help/messages") >= 4


async def test_an_outage_is_waited_for_in_order(tab: Tab, house: House) -> None:
    house.is_down = True
    await tab.open(house.shop, READY)
    await tab.run(f"{OPEN}; {write('one')}")
    await tab.until(states("later"))
    await tab.run(write("two"))
    house.is_down = False
    await tab.until(states("sent", "sent"))
    assert [message.text for message in house.messages] == ["one", "two"]


async def test_a_file_survives_a_reload_before_it_is_sent(tab: Tab, house: House) -> None:
    house.is_down = True
    await tab.open(house.shop, READY)
    await tab.run(f"{OPEN}; {choose('裂纹.jpg', 'image/jpeg', 5000)}")
    await tab.until(states("later"))
    await tab.open(house.shop, READY)
    house.is_down = False
    await tab.until(states("sent"))
    (message,) = house.messages
    (file,) = message.attachments
    assert (file.name, file.media_type, file.content) == ("裂纹.jpg", "image/jpeg", b"\x07" * 5000)
    for _ in range(50):
        if await tab.run(FILES_LEFT) == 0:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the file still lies in the browser")


def choose(name: str, media_type: str, size: int) -> str:
    return (
        f"(() => {{ const input = {ROOT}.querySelector('input[type=file]'); const given = new DataTransfer();"
        f" given.items.add(new File([new Uint8Array({size}).fill(7)], {json.dumps(name)}, {{type: '{media_type}'}}));"
        " input.files = given.files; input.dispatchEvent(new Event('change')); })()"
    )


async def test_a_file_too_large_is_said_to_be_and_never_sent(tab: Tab, house: House) -> None:
    house.configure(max_file_bytes=1 << 20)
    await tab.open(house.shop, READY)
    await tab.run(f"{OPEN}; {choose('录像.mp4', 'video/mp4', (1 << 20) + 1)}; {choose('空.txt', 'text/plain', 0)}")
    await tab.until(states("large", "large"))
    assert "1 MB" in await tab.run(f"{ROOT}.querySelector('.state').textContent")
    assert not house.raws


async def test_contact_details_follow_and_are_asked_for_once(tab: Tab, house: House) -> None:
    await tab.open(house.shop, READY)
    await tab.run(f"{OPEN}; {write('坏了')}")
    await tab.until(states("sent"))
    form = f"{ROOT}.querySelector('.contact')"
    await tab.run(
        f"{form}.elements.phone.value = ' 13800138000 '; {form}.elements.order.value = 'SO-1'; {form}.requestSubmit()"
    )
    await tab.until(states("sent", "sent"))
    said = house.messages[1]
    assert (said.author.phone, said.order, said.text) == ("13800138000", "SO-1", "电话：13800138000\n订单号：SO-1")
    assert said.thread == house.messages[0].thread
    assert await tab.run(f"{form}.hidden")
    await tab.open(house.shop, READY)
    assert await tab.run(f"{form}.hidden")


async def test_another_matter_is_another_conversation(tab: Tab, house: House) -> None:
    await tab.open(house.shop, READY)
    await tab.run(f"{OPEN}; {write('坏了')}")
    await tab.until(states("sent"))
    first = await tab.run(NUMBER)
    await tab.run(f"{ROOT}.querySelector('[title=另说一件事]').click(); {write('还少发了一件')}")
    await tab.until(f"{NUMBER} && {NUMBER} !== '{first}'")
    assert len({raw.thread for raw in house.raws}) == 2
    assert await tab.run(SAID) == ["还少发了一件"]
    assert len({message.author.id for message in house.messages}) == 1


async def test_users_of_a_website_are_known_and_kept_apart(tab: Tab, house: House) -> None:
    await tab.open(house.shop, READY)
    for user in ("4711", "4712"):
        signature = hmac_hex(IDENTITY, user)
        await tab.run(f"allearsChat.identify({{id: '{user}', signature: '{signature}', name: 'U{user}'}})")
        await tab.run(f"allearsChat.open(); {write(f'我是{user}')}")
        await tab.until(states("sent"))
        assert await tab.run(SAID) == [f"我是{user}"], "one sees what the other wrote"
    assert [(one.author.id, one.author.name) for one in house.messages] == [("4711", "U4711"), ("4712", "U4712")]
    assert len({raw.thread for raw in house.raws}) == 2


async def test_logging_out_leaves_nothing_to_read(tab: Tab, house: House) -> None:
    await tab.open(house.shop, READY)
    await tab.run(f"{OPEN}; {write('坏了')}")
    await tab.until(states("sent"))
    await tab.run("allearsChat.reset()")
    assert await tab.run(SAID) == []
    assert "坏了" not in await tab.run("JSON.stringify(localStorage)")


async def test_two_tabs_lose_nothing_of_each_other(tab: Tab, house: House) -> None:
    house.is_down = True
    await tab.open(house.shop, READY)
    await tab.run(f"{OPEN}; {write('一')}")
    await tab.run(FRAME)
    await tab.until(READY.replace("document", SECOND, 1))
    await tab.run(f"{OPEN}; {write('二')}".replace("document.getElementById", f"{SECOND}.getElementById"))
    await tab.until(f"{SAID}.length === 2")
    house.is_down = False
    await tab.run("window.dispatchEvent(new Event('online'))")
    await tab.until(states("sent", "sent"))
    assert sorted(message.text for message in house.messages) == ["一", "二"]


async def test_without_storage_it_works_as_long_as_the_page_lives(tab: Tab, house: House) -> None:
    await tab.call("Page.addScriptToEvaluateOnNewDocument", source=NO_STORAGE)
    await tab.open(house.shop, READY)
    await tab.run(f"{OPEN}; {write('坏了')}; {choose('a.txt', 'text/plain', 3)}")
    await tab.until(states("sent", "sent"))
    assert not complaints(tab)


@pytest.mark.parametrize(
    ("page", "attributes", "browser", "expected"),
    [
        ("zh-Hant", "", "en-GB", "有问题？"),
        ("en-US", "", "zh-CN", "A problem?"),
        ("fr", "", "zh-CN", "有问题？"),
        ("zh", 'data-lang="en"', "zh-CN", "A problem?"),
    ],
)
async def test_it_speaks_as_the_page_does(
    tab: Tab, house: House, page: str, attributes: str, browser: str, expected: str
) -> None:
    await tab.call("Emulation.setUserAgentOverride", userAgent="Mozilla/5.0", acceptLanguage=browser)
    house.write_page(language=page, attributes=attributes)
    await tab.open(house.shop, READY)
    assert await tab.run(f"{ROOT}.querySelector('.launch').textContent") == expected


@pytest.mark.parametrize(
    ("style", "attributes", "scheme", "expected"),
    [
        ("body { background: #0b0f14 }", "", "light", "dark"),
        ("body { background: #fff }", "", "dark", "light"),
        ("html { background: rgb(20, 20, 20) } body { background: rgba(255, 255, 255, 0) }", "", "light", "dark"),
        (":root { color-scheme: light dark }", "", "dark", "dark"),
        ("", "", "dark", "light"),
        ("body { background: #fff }", 'data-theme="dark"', "light", "dark"),
    ],
)
async def test_it_is_as_dark_as_the_page(
    tab: Tab, house: House, style: str, attributes: str, scheme: str, expected: str
) -> None:
    await tab.prefer(prefers_color_scheme=scheme)
    house.write_page(style=style, attributes=attributes)
    await tab.open(house.shop, READY)
    await tab.run(OPEN)
    ground = await tab.run(f"getComputedStyle({ROOT}.querySelector('.panel')).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(34, 30, 26)"}[expected]


async def test_the_pages_own_style_does_not_get_in(tab: Tab, house: House) -> None:
    house.write_page(style=HOSTILE)
    await tab.open(house.shop, READY)
    await tab.run(OPEN)
    look = "(({color, fontSize, borderTopWidth, display}) => [color, fontSize, borderTopWidth, display])"
    text = await tab.run(f"{look}(getComputedStyle({ROOT}.querySelector('.intro')))")
    assert text == ["rgb(38, 33, 28)", "16px", "0px", "block"]


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_phone_shows_all_of_it(tab: Tab, house: House, language: str) -> None:
    await tab.resize(320, 568, is_phone=True)
    house.write_page(language=language)
    await tab.open(house.shop, READY)
    await tab.run(f"{OPEN}; {write('x' * 300)}")
    await tab.until(states("sent"))
    box = await tab.run(
        f"(({{x, y, width, height}}) => [x, y, width, height])({ROOT}.querySelector('.panel').getBoundingClientRect())"
    )
    assert box == [0, 0, 320, 568]
    assert await tab.run(f"{ROOT}.querySelector('.log').scrollWidth <= 320")
    assert await tab.run(f"{ROOT}.querySelector('output').scrollWidth <= {ROOT}.querySelector('.card').clientWidth")
    buttons = f"[...{ROOT}.querySelectorAll('.write button, header button')]"
    assert await tab.run(f"{buttons}.filter((one) => one.offsetWidth && one.offsetWidth < 44).length") == 0


async def test_keys(tab: Tab, house: House) -> None:
    """Enter sends, with shift it breaks the line, Escape closes, and focus goes where it came from."""
    await tab.open(house.shop, READY)
    await tab.run(OPEN)
    assert await tab.run(f"{ROOT}.activeElement.tagName") == "TEXTAREA"
    await tab.call("Input.insertText", text="一行")
    await tab.press("Enter", text="\r", modifiers=8)
    await tab.call("Input.insertText", text="又一行")
    await tab.press("Enter", text="\r")
    await tab.until(states("sent"))
    assert house.messages[0].text == "一行\n又一行"
    await tab.press("Escape")
    assert await tab.run(f"{ROOT}.activeElement.className") == "launch"
    assert await tab.run(f"{ROOT}.querySelector('.panel').hidden")


async def test_enter_that_ends_an_input_method_sends_nothing(tab: Tab, house: House) -> None:
    await tab.open(house.shop, READY)
    await tab.run(f"{OPEN}; {ROOT}.querySelector('textarea').value = 'nihao'")
    keys = "new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true, composed: true})"
    await tab.run(f"{ROOT}.querySelector('textarea').dispatchEvent({keys})")
    assert await tab.run(SAID) == []


async def test_everything_has_a_name(tab: Tab, house: House) -> None:
    house.configure(privacy_url="https://www.shop.example/privacy")
    await tab.open(house.shop, READY)
    await tab.run(f"{OPEN}; {write('坏了')}")
    await tab.until(states("sent"))
    await tab.call("Accessibility.enable")
    nodes = (await tab.call("Accessibility.getFullAXTree"))["nodes"]
    roles = {"button", "textbox", "link", "dialog", "log"}
    found = [
        (node["role"]["value"], node["name"]["value"]) for node in nodes if node.get("role", {}).get("value") in roles
    ]
    assert {role for role, _ in found} == roles
    assert not [role for role, name in found if not name]


async def test_the_demo_page_works_under_its_own_policy(tab: Tab, house: House) -> None:
    await tab.open(f"{house.chat}?lang=zh", READY)
    await tab.run(f"{OPEN}; {write('试一试')}")
    await tab.until(states("sent"))
    assert f'<script src="{house.chat}/widget.js" async></script>' in await tab.run(
        "document.getElementById('snippet').textContent"
    )
    assert not complaints(tab)


async def test_a_site_that_was_not_named_keeps_what_is_written(tab: Tab, house: House) -> None:
    house.configure(allowed_origins=["https://another.example"])
    await tab.open(house.shop, READY)
    await tab.run(f"{OPEN}; {write('坏了')}")
    await tab.until(states("later"))
    assert not house.raws
    house.configure()
    await tab.run("window.dispatchEvent(new Event('online'))")
    await tab.until(states("sent"))
