"""`allears route` tells which route decides and why each other does not; `check` what never will."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from allears_sdk.reference import reference
from tests.cli.conftest import Allears

CONFIGURATION = """
[routing]
match = "first"
default = { team = "客服" }
[customers]
file = "customers.csv"
[catalogue]
file = "catalogue.csv"
[[routes]]
name = "urgent"
priority = ["P1"]
team = "质量部"
[[routes]]
name = "vip"
customer_level = ["VIP"]
team = "贵宾组"
assignee = "王芳"
cc = ["boss@example.com"]
[[routes]]
name = "parcels"
category = ["logistics"]
keyword = ["快递", "parcel*"]
team = "物流组"
[[routes]]
name = "parcels-late"
category = ["logistics.delay"]
keyword = ["快递员"]
[[routes]]
name = "audio"
product_line = ["音频", "audoi"]
[channels.web]
connector = "form"
[channels.counter]
connector = "folder"
path = "counter"
[destinations.list]
sink = "list"
"""
COMPLAINT = {"text": "快递员态度太差，包裹三天没到，要求退款！", "author": {"phone": "138 0013 8000"}}


@pytest.fixture
def house(tmp_path: Path, allears: Allears) -> Path:
    (tmp_path / "allears.toml").write_text(CONFIGURATION, encoding="utf-8")
    (tmp_path / "customers.csv").write_text("手机,等级\n13800138000,VIP\n", encoding="utf-8")
    (tmp_path / "catalogue.csv").write_text("型号,产品线\nWH-1000XM5,音频\n", encoding="utf-8")
    (tmp_path / "one.json").write_text(json.dumps(COMPLAINT, ensure_ascii=False), encoding="utf-8")
    (tmp_path / "counter").mkdir()
    return tmp_path


def test_every_route_says_why(house: Path, allears: Allears) -> None:
    out = allears("route", "--explain", "one.json").out
    assert "the first route that matches decides" in out
    assert "✘ urgent: does not match" in out and "priority: P2 is none of P1" in out
    assert "✔ vip: matches" in out and "customer_level: VIP meets VIP" in out
    assert "· parcels: matches, but vip comes before it" in out and "keyword: 快递 meets 快递" in out
    assert "product_line: nothing is none of 音频, audoi" in out
    assert "→ team: 贵宾组" in out and "→ assignee: 王芳" in out and "→ cc: boss@example.com" in out
    assert "→ destinations: list" in out


def test_in_chinese(house: Path, allears: Allears) -> None:
    out = allears("route", "--explain", "one.json", "--language", "zh").out
    assert "第一条匹配的规则生效" in out and "✘ urgent：不匹配" in out and "priority：P2 不在 P1 之中" in out
    assert "→ 团队: 贵宾组" in out


def test_as_json(house: Path, allears: Allears) -> None:
    found = allears("route", "--explain", "--json", "one.json").json
    assert found["decision"] == {
        "team": "贵宾组", "assignee": "王芳", "destinations": ["list"], "cc": ["boss@example.com"], "tags": [],
        "routes": ["vip"],
    }  # fmt: skip
    assert [(one["name"], one["matches"], one["applies"]) for one in found["routes"]] == [
        ("urgent", False, False), ("vip", True, True), ("parcels", True, False), ("parcels-late", False, False),
        ("audio", False, False),
    ]  # fmt: skip
    assert found["routes"][0]["answers"] == [{"field": "priority", "wanted": ["P1"], "found": ["P2"], "met": []}]
    assert "routes" not in allears("route", "--json", "one.json").json


def test_mails_stdin_and_channels(house: Path, allears: Allears) -> None:
    mail = (
        "From: a@example.org\nSubject: Parcel\nDate: Sun, 01 Mar 2026 10:00:00 +0000\n\nI want to thank you, all fine."
    )
    (house / "mail.eml").write_text(mail, encoding="utf-8")
    assert allears("route", "--json", "mail.eml").json["decision"]["team"] == "客服"
    assert allears("route", "--json", "-", stdin=json.dumps(COMPLAINT)).json["decision"]["team"] == "贵宾组"
    assert allears("route", "--json", "--channel", "counter", "mail.eml").json["decision"]["routes"] == ["default"]


def test_without_a_target_all_routes_are_listed(house: Path, allears: Allears) -> None:
    found = allears("route")
    assert re.search(r"parcels +category: logistics; keyword: 快递, parcel\* +→ team: 物流组", found.out)
    assert "default (when no route matches)" in found.out
    assert "the route parcels-late never decides: parcels comes before it and asks for less" in found.out
    listed = allears("route", "--json").json
    assert [one["name"] for one in listed["routes"]] == ["urgent", "vip", "parcels", "parcels-late", "audio"]
    assert listed["shadowed"] == [{"name": "parcels-late", "by": "parcels"}]


def test_without_routes(tmp_path: Path, allears: Allears) -> None:
    assert allears("route").out == "there are no routes: every complaint goes to list\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("route", reference(b"nobody")), 4, "no journal"),
        (("route", "nothing.eml"), 5, "no such file or folder"),
        (("route", "--channel", "wbe", "one.json"), 5, 'no channel is called "wbe"; did you mean "web"?'),
    ],
)
def test_what_is_not_there(house: Path, allears: Allears, arguments: tuple[str, ...], code: int, message: str) -> None:
    found = allears(*arguments)
    assert found.code == code
    assert message in found.err


def test_check_tells_of_routes_and_files(house: Path, allears: Allears) -> None:
    found = allears("check")
    assert found.code == 0
    assert "warning: the route parcels-late never decides: parcels comes before it and asks for less" in found.out
    assert "warning: the route audio asks for product_line audoi, which" in found.out
    (house / "customers.csv").write_text("姓名,等级\n李雷,VIP\n", encoding="utf-8")
    broken = allears("check", "--json")
    assert broken.code == 1
    assert any("has no column for phones" in told for told in broken.json["warnings"])
    assert allears("route", "one.json").code == 3
