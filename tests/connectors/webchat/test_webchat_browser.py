"""The widget in a real browser, on a shop's page of another origin: networks that fail, reloads, two tabs, users."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from allears_sdk.reference import reference, seed
from allears_sdk.signing import hmac_hex
from tests.chromium import Tab, chromium
from tests.connectors.webchat.shop import (
    IDENTITY,
    NUMBER,
    OPEN,
    READY,
    ROOT,
    SAID,
    SEND,
    House,
    choose,
    complaints,
    opened,
    states,
    write,
)

POLICY = "default-src 'none'; script-src 'self' {chat}; connect-src {chat}; require-trusted-types-for 'script'"
pytestmark = [pytest.mark.services, pytest.mark.timeout(120)]


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


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        yield house


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    async with chromium(tmp_path) as tab:
        yield tab


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


async def test_what_is_being_written_survives_a_reload(tab: Tab, house: House) -> None:
    await tab.open(house.shop, READY)
    await tab.run(OPEN)
    await tab.call("Input.insertText", text="还没写完")
    await tab.open(house.shop, READY)
    text = f"{ROOT}.querySelector('textarea').value"
    assert await tab.run(text) == "还没写完"
    await tab.run(f"{OPEN}; {SEND}")
    await tab.until(states("sent"))
    await tab.open(house.shop, READY)
    assert await tab.run(text) == ""


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
