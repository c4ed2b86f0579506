"""The whole daemon behind a shop on 美团外卖: a bad comment opens a complaint, what is added later follows it up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors._marketplace.times import BEIJING
from tests.connectors.meituan.conftest import APP, SECRET, SHOP, Takeaway
from tests.daemon.house import House

CHANNEL = f"""
[channels.takeaway]
connector = "meituan"
app_id = "{APP}"
app_secret = "{SECRET}"
shops = {{{{ {SHOP} = "示例餐厅" }}}}
url = "{{url}}"
"""


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def takeaway() -> Takeaway:
    return Takeaway(RealClock())


@pytest.fixture
def url(takeaway: Takeaway) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = takeaway.answer(httpx.Request("GET", f"http://{self.headers['Host']}{self.path}"))
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


def filed(house: House, words: str) -> list[dict[str, Any]]:
    return [one for one in house.filed() if words in one["complaint"]["description"]]


def test_a_bad_comment_and_what_is_added_to_it(house: House, takeaway: Takeaway) -> None:
    yesterday = f"{(datetime.now(UTC) - timedelta(days=1)).astimezone(BEIJING):%Y-%m-%d}"
    takeaway.write(1, "汤全洒了，打电话没人接", comment_time=yesterday)
    takeaway.write(2, "好吃，下次还来", stars=5, comment_time=yesterday)
    house.start()
    house.until(lambda: filed(house, "汤全洒了"), "the bad one in the file")
    record = filed(house, "汤全洒了")[0]["complaint"]
    assert record["rating"]["value"] == 1.0
    assert "示例餐厅" in record["product_or_order"]
    assert house.stop() == 0
    takeaway.write(1, "汤全洒了，打电话没人接", comment_time=yesterday, add_comment="吃完拉肚子，要求赔偿")
    house.start()
    house.until(lambda: len(house.filed()) > 1, "the follow-up in the file")
    assert {one["complaint"]["id"] for one in house.filed()} == {record["id"]}
    assert any("拉肚子" in str(one) for one in house.filed())
    assert house.stop() == 0
    assert "Traceback" not in house.log
