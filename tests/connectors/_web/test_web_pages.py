"""What pages of several channels share: languages, origins, colours that can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from allears_sdk.connector import Request
from allears_sdk.testing.clock import START
from connectors._web.colour import accents, lightened, readable_on
from connectors._web.language import Language, choose
from connectors._web.origins import address_of, cors, is_own

NEAR_BLACK = "#171411"
CARD = "#221e1a"


def asked(*headers: tuple[str, str]) -> Request:
    return Request(
        method="POST", path="", query=(), headers=headers, body=b"", remote_address="192.0.2.7", received_at=START
    )


def luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


ACCENTS = ["#a8431c", "#000000", "#ffffff", "#1456b8", "#ffdd00", "#00c853", "#7f7f7f"]


@pytest.mark.parametrize("accent", ACCENTS)
def test_words_on_a_button_can_be_read(accent: str) -> None:
    assert contrast(accent, readable_on(accent)) >= 4.3  # of a middle grey; bold words ask for 3


@pytest.mark.parametrize("accent", ACCENTS)
def test_an_accent_can_be_read_on_a_dark_page(accent: str) -> None:
    assert contrast(lightened(accent, 0.32), NEAR_BLACK) >= 4.5
    for _, dark in (accents(accent), accents(accent.upper())):
        colours = dict(part.split(":") for part in dark.split(";"))
        assert contrast(colours["--link"], CARD) >= 4.5
        assert contrast(colours["--accent"], CARD) >= 2.8
        assert contrast(colours["--accent"], colours["--on-accent"]) >= 4.3


@pytest.mark.parametrize(
    ("lang", "accept", "default", "expected"),
    [
        ("zh", "en-GB", "en", "zh"),
        ("", "zh-TW,en;q=0.8", "en", "zh"),
        ("", "de, en;q=0.1", "zh", "en"),
        ("", "en;q=0", "zh", "zh"),
        ("", ";;q=x,,", "en", "en"),
    ],
)
def test_language(lang: str, accept: str, default: Language, expected: str) -> None:
    assert choose(lang, accept, default) == expected


@pytest.mark.parametrize(
    ("headers", "public_address", "expected"),
    [
        ([("Origin", "https://hear.example.com"), ("Host", "hear.example.com")], "", True),
        ([("Origin", "https://HEAR.example.com"), ("Host", "hear.example.com")], "", True),
        (
            [("Origin", "https://h.example:84"), ("Host", "10.0.0.5"), ("X-Forwarded-Host", "h.example:84")],
            "",
            True,
        ),
        ([("Origin", "https://h.example"), ("Host", "10.0.0.5")], "https://h.example/in/chat", True),
        ([("Origin", "https://evil.example"), ("Host", "hear.example.com")], "", False),
        ([("Origin", "https://hear.example.com.evil.example"), ("Host", "hear.example.com")], "", False),
        ([("Origin", "null"), ("Host", "hear.example.com")], "", False),
        ([("Origin", "null"), ("Host", "")], "", False),
        ([("Origin", "https://a.example"), ("Sec-Fetch-Site", "same-origin")], "", True),
        ([("Origin", "https://a.example"), ("Sec-Fetch-Site", "same-site"), ("Host", "b.example")], "", False),
    ],
)
def test_own_origin(headers: list[tuple[str, str]], public_address: str, expected: bool) -> None:
    assert is_own(asked(*headers), public_address) is expected


@pytest.mark.parametrize(
    ("origin", "allowed", "expected"),
    [
        ("https://shop.example.com", ("https://shop.example.com",), "https://shop.example.com"),
        ("https://shop.example.com", ("*",), "https://shop.example.com"),
        ("https://evil.example", ("https://shop.example.com",), None),
        ("", ("*",), None),
    ],
)
def test_cors(origin: str, allowed: tuple[str, ...], expected: str | None) -> None:
    headers = cors(asked(("Origin", origin)), allowed, methods="POST", headers="Content-Type")
    assert headers.get("Access-Control-Allow-Origin") == expected


def test_a_hostile_host_does_not_get_into_the_page() -> None:
    assert address_of(asked(("Host", 'x"><script>')), "门店") == "http://localhost/in/%E9%97%A8%E5%BA%97"
    assert address_of(asked(), "chat", "https://h.example/in/chat/") == "https://h.example/in/chat"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_forms_own_colours_can_be_read(dark: bool) -> None:
    style = (Path(__file__).parents[3] / "connectors/form/pages/form.css").read_text("utf-8")
    light, _, rest = style.partition("@media screen and (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--(\w[\w-]*): (#[0-9a-f]{6});", rest.partition("\n}")[0] if dark else light))
    for ground in ("paper", "card", "field"):
        for ink in ("ink", "soft", "wrong", "good"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, f"{ink} on {ground}"
        assert contrast(colours["edge"], colours[ground]) >= 3, f"edge on {ground}"
