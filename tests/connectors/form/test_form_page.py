"""The pages a customer sees: both languages, strict policy, QR code, and a real browser where there is one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.connector import Answer, Request
from allears_sdk.testing import make_context
from connectors.form import FormConnector, FormSettings
from connectors.form.words import FAULTS, WORDS


async def fetch(folder: Path, path: str = "", *, lang: str = "", method: str = "GET", **settings: Any) -> Answer:
    headers = settings.pop("headers", [("Host", "hear.example.com")])
    form = FormConnector(FormSettings(**settings), make_context("门店", folder))
    request = Request(
        method=method,
        path=path,
        query=[("lang", lang)] if lang else [],
        headers=headers,
        body=b"",
        remote_address="192.0.2.7",
        received_at=datetime(2026, 11, 22, tzinfo=UTC),
    )
    reception = await form.receive(request)
    assert not reception.raws
    return reception.answer([])


@pytest.mark.parametrize(
    ("lang", "accept", "default", "expected"),
    [
        ("zh", "en-GB", "en", "zh-CN"),
        ("en", "zh-CN", "zh", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "en", "zh-CN"),
        ("", "fr;q=0.9, en-US;q=0.5, zh;q=0.1", "zh", "en"),
        ("", "de", "zh", "zh-CN"),
        ("", "", "en", "en"),
        ("xx", "zh;q=broken, ;;;,en;q=0", "en", "en"),
    ],
)
async def test_the_page_speaks_the_customers_language(
    tmp_path: Path, lang: str, accept: str, default: str, expected: str
) -> None:
    answer = await fetch(tmp_path, lang=lang, language=default, headers=[("Accept-Language", accept)])
    assert f'<html lang="{expected}">' in answer.body.decode()


def test_both_languages_say_the_same_things() -> None:
    assert WORDS["zh"].keys() == WORDS["en"].keys()
    assert FAULTS["zh"].keys() == FAULTS["en"].keys()


def test_no_word_hides_behind_a_method_of_dict() -> None:
    """In a template `w.copy` would be `dict.copy`."""
    assert not [word for word in WORDS["zh"] if hasattr(dict, word)]


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_every_control_has_a_label_and_nothing_is_inline(tmp_path: Path, lang: str) -> None:
    page = (await fetch(tmp_path, lang=lang, accent="#004488")).body.decode()
    ids = re.findall(r'<(?:input|textarea)[^>]* ?id="(\w+)"', page)
    assert {"text", "product", "order", "files", "name", "phone", "email", "wechat"} <= set(ids)
    for control in ids:
        assert f'<label for="{control}">' in page
    assert "style=" not in page
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=", page)


async def test_the_policy_is_strict_and_pages_are_not_kept(tmp_path: Path) -> None:
    answer = await fetch(tmp_path, logo_url="https://cdn.example.com/logo.png", allowed_origins=("https://a.example",))
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "img-src 'self' https://cdn.example.com;" in policy
    assert "frame-ancestors 'self' https://a.example" in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_two_pages_are_two_submissions(tmp_path: Path) -> None:
    pages = [(await fetch(tmp_path)).body.decode() for _ in range(2)]
    found = [re.search(r'name="submission" value="([\w-]{16,64})"', page) for page in pages]
    assert found[0] and found[1]
    assert found[0][1] != found[1][1]


async def test_links_work_under_a_chinese_name_and_behind_a_prefix(tmp_path: Path) -> None:
    page = (await fetch(tmp_path)).body.decode()
    assert 'href="%E9%97%A8%E5%BA%97/form.css?v=' in page
    answer = await fetch(tmp_path, "/")
    assert (answer.status, answer.headers["Location"]) == (308, "../%E9%97%A8%E5%BA%97")


@pytest.mark.parametrize(("path", "kind"), [("/form.css", "text/css"), ("/form.js", "text/javascript")])
async def test_style_and_script_are_served_from_the_same_path(tmp_path: Path, path: str, kind: str) -> None:
    answer = await fetch(tmp_path, path, accent="#ffdd00")
    assert answer.media_type.startswith(kind)
    assert "immutable" in answer.headers["Cache-Control"]
    if path == "/form.css":
        assert "--accent:#ffdd00;--on-accent:#1d1a17" in answer.body.decode()


@pytest.mark.parametrize(
    ("headers", "settings", "address"),
    [
        ([("Host", "hear.example.com:8443")], {}, "http://hear.example.com:8443/in/%E9%97%A8%E5%BA%97"),
        ([("Host", "h.example"), ("X-Forwarded-Proto", "https")], {}, "https://h.example/in/%E9%97%A8%E5%BA%97"),
        ([("Host", 'x"><script>')], {}, "http://localhost/in/%E9%97%A8%E5%BA%97"),
        ([("Host", "h")], {"public_address": "https://a.example/tousu"}, "https://a.example/tousu"),
    ],
)
async def test_poster_and_code_name_the_public_address(
    tmp_path: Path, headers: list[tuple[str, str]], settings: dict[str, str], address: str
) -> None:
    poster = await fetch(tmp_path, "/poster", headers=headers, **settings)
    assert address in poster.body.decode()
    assert 'src="qr.svg"' in poster.body.decode()
    code = await fetch(tmp_path, "/qr.svg", headers=headers, **settings)
    assert code.media_type == "image/svg+xml"
    assert b"<svg" in code.body


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_own_words_replace_ours_and_are_escaped(tmp_path: Path, lang: str) -> None:
    own = {"heading_zh": "售后 <反馈>", "heading_en": "After <sales>", "intro_zh": "一", "intro_en": "one"}
    page = (await fetch(tmp_path, lang=lang, max_files=0, **own)).body.decode()
    assert ("售后 &lt;反馈&gt;" if lang == "zh" else "After &lt;sales&gt;") in page
    assert 'type="file"' not in page


@pytest.mark.parametrize(
    "wrong",
    [
        {"accent": "red;}"},
        {"logo_url": "javascript:alert(1)"},
        {"logo_url": "https://a.example/x;script-src *"},
        {"privacy_url": "javascript:alert(1)"},
        {"public_address": "ftp://x"},
        {"allowed_origins": ("https://a.example; script-src *",)},
        {"acent": "#000000"},
    ],
)
def test_settings_that_cannot_work_are_errors(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FormSettings(**wrong)


def test_the_token_is_never_shown() -> None:
    assert "s3cret" not in repr(FormSettings.model_validate({"token": "s3cret"}))
