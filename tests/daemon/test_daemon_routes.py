"""A running daemon routes by its file, knows customers from theirs, and takes up changes on SIGHUP."""

from __future__ import annotations

import signal
from typing import Any

from tests.daemon.house import House

ROUTES = """
[routing]
destinations = ["file"]
default = { team = "客服" }
[customers]
file = "customers.csv"
[destinations.second]
sink = "jsonl"
path = "second.jsonl"
[[routes]]
name = "vip"
customer_level = ["VIP"]
team = "贵宾组"
assignee = "王芳"
destinations = ["file", "second"]
tags = ["贵宾"]
"""
CUSTOMERS = "手机,等级\n13800138000,VIP\n"
LI, HAN = {"phone": "138 0013 8000", "name": "李雷"}, {"phone": "13900139000", "name": "韩梅梅"}


def records(house: House, name: str = "filed.jsonl") -> list[dict[str, Any]]:
    return [line["complaint"] for line in house.filed(name)]


def write_customers(house: House, text: str) -> None:
    (house.folder / "customers.csv").write_text(text, encoding="utf-8")


def test_routes_and_customers_from_start_to_ticket(house: House) -> None:
    house.configure(ROUTES)
    write_customers(house, CUSTOMERS)
    house.start()
    house.post("外卖漏了一点汤，有点失望", "f1", author=LI)
    house.post("外卖漏了一点汤，有点失望", "f2", author=HAN)
    house.until_filed(2)
    house.until_filed(1, "second.jsonl")
    by_level = {one["customer"]["level"]: one for one in records(house)}
    vip, other = by_level["VIP"], by_level[""]
    assert (vip["team"], vip["assignee"], vip["handler"], vip["tags"]) == ("贵宾组", "王芳", "王芳", ["贵宾"])
    assert vip["provenance"]["handler"]["source"] == "route:vip"
    assert (vip["priority"], other["team"]) == ("P2", "客服")
    assert [one["id"] for one in records(house, "second.jsonl")] == [vip["id"]]
    told = house.command("route", "--explain", "--json", vip["id"])
    assert '"name": "vip"' in told.stdout and '"applies": true' in told.stdout
    assert house.stop() == 0
    assert "13800138000" not in house.log
    for file in (house.folder / "data").glob("*"):
        assert file.is_dir() or b"phone:+8613800138000" not in file.read_bytes()


def test_a_reload_takes_up_routes_and_customers_and_keeps_what_it_had_of_a_broken_file(house: House) -> None:
    house.configure(ROUTES)
    write_customers(house, CUSTOMERS)
    house.start()
    write_customers(house, '手机,等级\n"13800138000,VIP\n')
    house.edit('team = "贵宾组"', 'team = "贵宾二组"')
    house.signal(signal.SIGHUP)
    house.until(lambda: "file_refused" in house.log and "reloaded" in house.log, "reloaded, one file refused")
    house.post("外卖漏了一点汤，有点失望", "f1", author=LI)
    house.until_filed(1)
    assert (records(house)[0]["customer"]["level"], records(house)[0]["team"]) == ("VIP", "贵宾二组")
    write_customers(house, CUSTOMERS + "13900139000,VIP\n")
    house.signal(signal.SIGHUP)
    house.until(lambda: house.log.count("file_read") >= 2, "the mended file is read")
    house.post("外卖漏了一点汤，有点失望", "f2", author=HAN)
    house.until_filed(2)
    assert records(house)[1]["team"] == "贵宾二组"
    assert house.stop() == 0


def test_complaints_of_one_customer_are_linked_over_a_restart(house: House) -> None:
    house.start()
    first = house.post("空气炸锅坏了，要求退款", "f1", author=LI)["reference"]
    house.until_filed(1)
    assert house.stop() == 0
    house.start()
    second = house.post("退款一直没到账", "f2", author=LI)["reference"]
    house.until_filed(2)
    assert house.api(f"/api/complaints/{first}")["related"] == [second]
    assert house.api(f"/api/complaints/{second}")["related"] == [first]
    one, two = records(house)
    assert one["customer"]["key"] == two["customer"]["key"]
    assert house.stop() == 0
