"""How the widget looks and is used: languages, dark pages, phones, keys, screen readers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chromium import Tab, chromium
from tests.connectors.webchat.shop import (
    OPEN,
    READY,
    ROOT,
    SAID,
    House,
    opened,
    states,
    write,
)

HOSTILE = (
    "* { font: 40px serif; color: red; border: 3px solid lime; } div { display: none !important; }"
    " html { font-size: 62px; }"
)
pytestmark = [pytest.mark.services, pytest.mark.timeout(120)]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        yield house


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    async with chromium(tmp_path) as tab:
        yield tab


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
