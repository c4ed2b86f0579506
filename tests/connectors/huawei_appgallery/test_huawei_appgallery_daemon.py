"""The whole daemon on AppGallery: what is filed at first, an edit of an old review, what is written below an answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.connectors.huawei_appgallery.conftest import APP, CLIENT, SECRET, AppGallery
from tests.daemon.house import House

CHANNEL = f"""
[channels.appgallery]
connector = "huawei_appgallery"
client_id = "{CLIENT}"
client_secret = "{SECRET}"
apps = {{{{ {APP} = "示例商城" }}}}
url = "{{url}}"
interval_seconds = 60
"""


@pytest.fixture
def gallery() -> AppGallery:
    return AppGallery()


@pytest.fixture
def url(gallery: AppGallery) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            address = f"http://{self.headers['Host']}{self.path}"
            answer = gallery.answer(httpx.Request(self.command, address, headers=dict(self.headers), content=body))
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def house(tmp_path: Path, url: str) -> Iterator[House]:
    house = House(tmp_path)
    house.configure(CHANNEL.format(url=url))
    try:
        yield house
    finally:
        house.clear()


def ago(**span: float) -> int:
    return int((datetime.now(UTC) - timedelta(**span)).timestamp() * 1000)


def filed(house: House, words: str) -> list[dict[str, Any]]:
    return [one for one in house.filed() if words in one["complaint"]["description"]]


def test_reviews_and_what_is_written_below_an_answer(house: House, gallery: AppGallery) -> None:
    written = ago(hours=2)
    gallery.write(1, "更新后一打开就闪退", stars="1", dateline=written)
    gallery.write(2, "一直很好用，五星", stars=5, dateline=ago(hours=3))
    gallery.write(3, "老版本太卡，卸载了", stars=1, dateline=ago(days=60))
    house.start()
    house.until(lambda: filed(house, "闪退"), "the new review in the file")
    record = filed(house, "闪退")[0]["complaint"]
    assert (record["rating"]["value"], record["product_or_order"]) == (1.0, "示例商城 4.2.1 (CN)")
    assert house.stop() == 0
    gallery.write(1, "更新后一打开就闪退", stars="1", dateline=written, devReplyState="6")
    gallery.write(3, "会员被重复扣费，要求退款", stars=1, dateline=ago(days=60))
    house.start()
    house.until(lambda: len(house.filed()) == 3, "the edit of an old review, and the follow-up, in the file")
    (again,) = [one for one in house.filed() if one["event"]["kind"] == "followed_up"]
    assert again["complaint"]["id"] == record["id"]
    assert len({one["complaint"]["id"] for one in filed(house, "重复扣费")} - {record["id"]}) == 1
    assert house.stop() == 0
    assert "Traceback" not in house.log
