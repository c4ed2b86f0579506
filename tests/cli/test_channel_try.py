"""`allears channels try`: what a channel would make of one item. `allears check`: the address to enter elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Allears = Callable[..., Any]
FILE = """
[public]
base_url = "https://hear.example.com/"

[channels.hotline]
connector = "webhook"
auth = { method = "bearer", secrets = ["env:HOTLINE_TOKEN"] }

[channels.hotline.map]
items = "$.calls[*]"
id = "@.id"
text = "@.said"
author_phone = "@.from"
"""
CALLS = {
    "calls": [
        {"id": 1, "said": "充电宝发烫，我要退款。", "from": "13800138000"},
        {"id": 2, "said": "The lid broke.", "from": ""},
    ]
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOTLINE_TOKEN", "token-of-the-hotline")
    path = tmp_path / "allears.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_it_shows_each_conversation_and_stores_nothing(allears: Allears, file: Path, tmp_path: Path) -> None:
    (tmp_path / "calls.json").write_text(json.dumps(CALLS), encoding="utf-8")
    first, second = allears("channels", "try", "hotline", "calls.json", "-c", str(file)).json
    assert first["message"]["text"] == "充电宝发烫，我要退款。"
    assert "13800138000" in json.dumps(first["complaint"]["contact"])
    assert second["message"]["external_id"] == "2"
    assert not (tmp_path / "data").exists()


def test_mail_needs_no_mapping(allears: Allears, file: Path, tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_text("From: a@example.com\nSubject: Refund\n\nIt broke.", encoding="utf-8")
    (record,) = allears("channels", "try", "hotline", "one.eml", "-c", str(file)).json
    assert record["message"]["subject"] == "Refund"


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [("{}", 1, "finds no message"), ("{", 1, "not JSON"), ('{"calls": [{"id": 1}]}', 1, "map.text")],
)
def test_what_it_cannot_read_is_said(
    allears: Allears, file: Path, tmp_path: Path, body: str, code: int, said: str
) -> None:
    (tmp_path / "calls.json").write_text(body, encoding="utf-8")
    outcome = allears("channels", "try", "hotline", "calls.json", "-c", str(file))
    assert (outcome.code, said in outcome.err) == (code, True)


def test_a_channel_or_file_that_is_not_there(allears: Allears, file: Path) -> None:
    assert allears("channels", "try", "hotlien", str(file), "-c", str(file)).code == 5
    assert allears("channels", "try", "hotline", "no.json", "-c", str(file)).code == 2


def test_a_form_is_told_from_its_letters(allears: Allears, file: Path, tmp_path: Path) -> None:
    file.write_text(FILE.replace('items = "$.calls[*]"', "").replace("@.", "$."), encoding="utf-8")
    (tmp_path / "sms").write_text("id=7&said=%E9%80%80%E6%AC%BE", encoding="utf-8")
    (record,) = allears("channels", "try", "hotline", "sms", "-c", str(file)).json
    assert record["message"]["text"] == "退款"


def test_check_shows_the_address_to_enter_at_the_sender(allears: Allears, file: Path) -> None:
    checked = {one["name"]: one for one in allears("check", "--json", "-c", str(file)).json["checked"]}
    assert checked["hotline"]["account"] == "https://hear.example.com/in/hotline"
    assert "bearer" in checked["hotline"]["details"][0]
