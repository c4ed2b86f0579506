"""A running daemon beside `allears forget`: nothing of the customer stays or comes back, and it goes on for others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.daemon.house import House
from tests.journal.test_forgetting import traces

PHONE = "13987654321"
WORDS = ("屏幕碎裂无人处理", PHONE, "hanmm@example.cn")


def forget(house: House, *arguments: str) -> dict[str, Any]:
    done = house.command("forget", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def data(house: House, words: Sequence[str] = WORDS) -> list[tuple[str, str]]:
    """Traces in the data folder; the watched folder and what was filed are the company's own."""
    return traces(house.folder / "data", words)


def test_forgotten_while_it_runs(house: House) -> None:
    house.start()
    house.drop("first", f"屏幕碎裂无人处理，请打 {PHONE}")
    house.post("耳机没有声音，要求退款", "other-1")
    house.post(f"屏幕碎裂无人处理，联系电话 {PHONE}", "theirs-1")
    filed = {line["complaint"]["id"] for line in house.until_filed(3)}
    assert data(house)
    shown = forget(house, PHONE)
    assert len(shown["conversations"]) == 2, "by what was written in the form, and by who wrote the mail"
    assert shown["files"] == [{"channel": "desk", "file": "first.eml"}]
    done = forget(house, PHONE, "--yes")
    assert (done["erased"], done["left"], done["compact"]) == (True, 0, True)
    assert data(house) == []
    assert all(word not in house.log for word in WORDS)

    house.drop("first", f"屏幕碎裂无人处理，请打 {PHONE}")
    house.post(f"屏幕碎裂无人处理，联系电话 {PHONE}", "theirs-1")
    house.post("快递晚了三天，请解释", "other-2")
    lines = house.until_filed(4)
    assert len({line["complaint"]["id"] for line in lines} - filed) == 1, "only what is new"
    house.until(lambda: not list((house.folder / "desk").glob("*.eml")), "the folder is read")
    assert house.stop() == 0
    assert data(house, WORDS[:2]) == []
