"""The whole daemon on App Store Connect: what is filed at first, an edit of it, one of an old review, our answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.app_store_connect.conftest import APP, ISSUER, KEY_ID, PEM, AppStore, running
from tests.daemon.house import House

CHANNEL = f"""
[channels.app-store]
connector = "app_store_connect"
key_id = "{KEY_ID}"
issuer_id = "{ISSUER}"
private_key = "file:{{folder}}/AuthKey.p8"
apps = {{{{ {APP} = "示例商城" }}}}
url = "{{url}}"
interval_seconds = 1
"""


@pytest.fixture
def store() -> Iterator[AppStore]:
    """On a loop and thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = running(lambda: datetime.now(UTC))
    yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def house(house: House, store: AppStore, tmp_path: Path) -> House:
    (tmp_path / "AuthKey.p8").write_text(PEM)
    house.configure(CHANNEL.format(url=store.url, folder=tmp_path))
    return house


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat(timespec="seconds")


def filed(house: House, words: str) -> list[dict[str, Any]]:
    return [one for one in house.filed() if words in one["complaint"]["description"]]


def test_reviews_their_edits_and_our_answer(house: House, store: AppStore) -> None:
    written, old = ago(hours=2), ago(days=90)
    store.write(1, "更新后一打开就闪退", stars=1, title="打不开", createdDate=written)
    store.write(2, "一直很好用，五星", stars=5, createdDate=ago(hours=3))
    store.write(3, "老版本太卡，卸载了", stars=1, createdDate=ago(days=60))
    store.write(4, "不错", stars=5, createdDate=old)
    house.start()
    house.until(lambda: filed(house, "闪退"), "the new review in the file")
    record = filed(house, "闪退")[0]["complaint"]
    assert (record["rating"]["value"], record["product_or_order"]) == (1.0, "示例商城 (CHN)")
    assert (record["permalink"], record["channel"]) == (f"https://apps.apple.com/app/id{APP}", "app-store")
    store.write(4, "用了三个月，会员被重复扣费，要求退款", stars=1, createdDate=old)
    house.until(lambda: filed(house, "重复扣费"), "the edit of an old review in the file")
    edited = store.write(1, "4.2.2 修好了，谢谢", stars=5, title="打不开", createdDate=written)
    store.answer(edited, "感谢反馈，已在 4.2.2 修复")
    house.until(lambda: filed(house, "修好了"), "the edit in the file")
    follow_up = filed(house, "修好了")[-1]
    assert (follow_up["event"]["kind"], follow_up["complaint"]["id"]) == ("edited", record["id"])
    assert follow_up["complaint"]["rating"]["value"] == 5.0
    assert len({one["complaint"]["id"] for one in house.filed()}) == 2
    assert [one["event"]["kind"] for one in house.filed()].count("opened") == 2
    assert house.stop() == 0
    assert "Traceback" not in house.log
