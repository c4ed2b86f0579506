"""The whole daemon on exports of app reviews: what is filed, what only kept, an edit, an answer, an export again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.daemon.house import House

CHANNEL = """
[channels.xiaomi]
connector = "folder"
mapping = "xiaomi"
path = "{{folder}}/xiaomi"
product = "示例商城"
interval_seconds = 1
settle_file_seconds = 0
"""
HEADER = "评论ID,用户昵称,评分,评论内容,评论时间,应用版本,点赞数,回复内容"


@pytest.fixture
def house(house: House, tmp_path: Path) -> House:
    house.configure(CHANNEL.format().replace("{folder}", str(tmp_path)))
    return house


def drop(house: House, name: str, *rows: str) -> None:
    folder = house.folder / "xiaomi"
    folder.mkdir(exist_ok=True)
    unfinished = folder / f"{name}.part"
    unfinished.write_bytes("\r\n".join([HEADER, *rows]).encode("gb18030"))
    unfinished.rename(folder / name)
    house.until(lambda: (folder / "done" / name).exists(), f"{name} done")


def filed(house: House, words: str) -> list[dict[str, Any]]:
    return [one for one in house.filed() if words in one["complaint"]["description"]]


def test_exports_of_reviews(house: House) -> None:
    house.start()
    crash, praise = (
        "A-1,山里的风,1,一打开就闪退，要求退会员费,2026/11/20 09:05,4.2.1,{},{}",
        "A-2,张三,5,很好用,2026/11/20,4.2.1,0,",
    )
    drop(house, "一.csv", crash.format(3, ""), praise, ",李雷,2,广告太多关不掉,2026/11/21,,0,")
    house.until(lambda: len(house.filed()) == 2, "both complaints in the file, without the praise")
    record = filed(house, "闪退")[0]["complaint"]
    assert (record["rating"]["value"], record["product_or_order"]) == (1.0, "示例商城 4.2.1")
    drop(house, "二.csv", crash.format(8, "您好，请更新"), ",李雷,2,广告太多关不掉,2026/11/21,,5,已回复")
    drop(house, "三.csv", crash.format(9, "您好，请更新").replace("要求退会员费", "更新了还是闪退，我要投诉"))
    house.until(lambda: filed(house, "我要投诉"), "the edit in the file")
    (edit,) = filed(house, "我要投诉")
    assert edit["complaint"]["id"] == record["id"]
    assert len({one["complaint"]["id"] for one in house.filed()}) == 2
    assert {one["event"]["kind"] for one in house.filed()} <= {"opened", "followed_up", "edited"}
    assert house.stop() == 0
    assert "Traceback" not in house.log
