"""What is served: the widget, within its budget, and the page that shows it."""

from __future__ import annotations

import asyncio
import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from allears_sdk.connector import Answer
from connectors.webchat import WebchatConnector
from connectors.webchat.words import DEMO, HEADING, INTRO, WORDS
from tests.conftest import missing
from tests.connectors.webchat.conftest import MakeChat, answered, request

WIRE_BYTES = 10_000
WHOLE_BYTES = 20_000


async def get(chat: WebchatConnector, path: str, lang: str = "", method: str = "GET", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    query = [("lang", lang)] if lang else []
    reception = await chat.receive(request(method, path, b"", {"Host": "hear.example.com", **named}, query))
    assert not reception.raws
    return answered(reception)


async def test_the_widget_keeps_within_its_budget(chat: WebchatConnector) -> None:
    packed = await get(chat, "/widget.js", Accept_Encoding="br;q=1, gzip")
    plain = await get(chat, "/widget.js")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < WIRE_BYTES
    assert len(plain.body) < WHOLE_BYTES
    assert plain.media_type == "text/javascript; charset=utf-8"


@pytest.mark.parametrize("encodings", ["gzip;q=0", "identity, gzip;q=0.0", "br", ""])
async def test_who_does_not_take_gzip_gets_none(chat: WebchatConnector, encodings: str) -> None:
    assert "Content-Encoding" not in (await get(chat, "/widget.js", Accept_Encoding=encodings)).headers


async def test_the_widget_is_kept_until_it_changes(make_chat: MakeChat) -> None:
    answer = await get(make_chat(), "/widget.js")
    tag = answer.headers["ETag"]
    again = await get(make_chat(), "/widget.js", If_None_Match=f'W/"other", {tag}')
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    changed = await get(make_chat(accent="#004488"), "/widget.js", If_None_Match=tag)
    assert changed.status == 200


async def test_the_widget_asks_nobody_else_and_runs_no_text(chat: WebchatConnector) -> None:
    code = (await get(chat, "/widget.js")).body.decode()
    assert set(re.findall(r"https?://[\w.-]+", code)) == {"http://www.w3.org"}
    assert not re.search(
        r"\binnerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function|document\.write|\.cookie\b", code
    )


async def test_what_an_admin_writes_cannot_get_out_of_its_string(make_chat: MakeChat) -> None:
    hostile = '";alert(1)//</script>\u2028'
    code = (await get(make_chat(heading_zh=hostile), "/widget.js")).body.decode()
    assert '"zh":"\\";alert(1)//' in code
    node = shutil.which("node")
    if not node:
        missing("node, which reads the packed script")
    await asyncio.to_thread(subprocess.run, [str(node), "--check", "-"], input=code.encode(), check=True)


async def test_settings_reach_the_widget(make_chat: MakeChat) -> None:
    chat = make_chat(position="left", heading_en="Say it", max_text_chars=777, max_file_bytes=0, accent="#ffdd00")
    code = (await get(chat, "/widget.js")).body.decode()
    for part in ('"position":"left"', '"en":"Say it"', '"maxText":777', '"maxFile":0', "--accent:#ffdd00"):
        assert part in code


async def test_no_secret_reaches_the_widget_or_the_page(make_chat: MakeChat) -> None:
    chat = make_chat(api_key="key-that-nobody-sees", identity_secret="identity-nobody-sees")
    for path in ("/widget.js", "", "/demo.css", "/demo.js"):
        assert b"nobody" not in (await get(chat, path)).body


@pytest.mark.parametrize(("lang", "tag"), [("zh", "zh-CN"), ("en", "en")])
async def test_the_demo_page_shows_the_snippet(chat: WebchatConnector, lang: str, tag: str) -> None:
    answer = await get(chat, "", lang, X_Forwarded_Proto="https")
    page = answer.body.decode()
    assert f'<html lang="{tag}">' in page
    assert "&lt;script src=&#34;https://hear.example.com/in/support/widget.js&#34; async&gt;&lt;/script&gt;" in page
    assert DEMO["zh" if lang == "zh" else "en"]["embed"] in page
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=", page)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"


async def test_the_address_of_the_settings_counts(make_chat: MakeChat) -> None:
    chat = make_chat(public_address="https://hear.shop.example/in/chat/", position="left")
    page = (await get(chat, "", "en")).body.decode()
    assert "https://hear.shop.example/in/chat/widget.js" in page
    assert "left corner" in page


async def test_a_slash_at_the_end_leads_to_the_page(chat: WebchatConnector) -> None:
    answer = await get(chat, "/")
    assert (answer.status, answer.headers["Location"]) == (308, "../support")


@pytest.mark.parametrize("path", ["/demo.css", "/demo.js"])
async def test_style_and_script(chat: WebchatConnector, path: str) -> None:
    answer = await get(chat, path)
    assert answer.status == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_chat_without_a_demo_page_still_has_its_widget(make_chat: MakeChat) -> None:
    chat = make_chat(demo_page=False)
    assert [(await get(chat, path)).status for path in ("", "/", "/demo.js", "/widget.js")] == [404, 404, 404, 200]


@pytest.mark.parametrize("path", ["/messages", "/files/f1", "/../widget.js", "/widget.js/x", "/words.py"])
async def test_nothing_else_can_be_read(chat: WebchatConnector, path: str) -> None:
    assert (await get(chat, path)).status == 404


def test_both_languages_say_the_same_things() -> None:
    for table in (WORDS, DEMO):
        assert table["zh"].keys() == table["en"].keys()
    assert HEADING.keys() == INTRO.keys() == {"zh", "en"}


def test_every_word_is_said_somewhere() -> None:
    source = (Path(__file__).parents[3] / "connectors/webchat/pages/widget.js").read_text("utf-8")
    by_state = {"waiting", "later", "sent", "failed", "large"}
    fields = {"name", "phone", "email", "order"}
    assert {word for word in WORDS["zh"] if f"words.{word}" not in source} == by_state | fields
