"""The model step in a running daemon: switched on by a reload, never in the way, and seen in the figures."""

from __future__ import annotations

import asyncio
import re
import signal
import threading
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest

from tests.daemon.house import TOKEN, House
from tests.filing.endpoint import KEY, Endpoint, answer

OPEN = "那个东西又来了，我家猫每天晚上都躲到沙发后面，电话13800138000"
SECTION = """
[model]
enabled = {enabled}
base_url = "{url}"
model = "qwen3:8b"
api_key = "{key}"
ask_below = 1.0
fields = ["category"]
timeout_seconds = 5
"""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint, loop = Endpoint(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(endpoint.open(), loop).result(10)
    endpoint.always(lambda: answer(category=("product.design", ["躲到沙发后面"])))
    try:
        yield endpoint
    finally:
        asyncio.run_coroutine_threadsafe(endpoint.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def figures(house: House) -> dict[str, float]:
    request = Request(house.addresses["console"] + "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    with urlopen(request, timeout=10) as response:
        text = response.read().decode()
    return {name: float(value) for name, value in re.findall(r"(?m)^(allears_model_\S+) (\S+)$", text)}


def test_a_reload_switches_it_on(house: House, endpoint: Endpoint) -> None:
    house.configure(SECTION.format(enabled="false", url=endpoint.base_url, key=KEY))
    house.start()
    house.post(OPEN, "k-1")
    (off,) = [line["complaint"] for line in house.until_filed(1)]
    assert endpoint.heard == []
    assert figures(house) == {}
    house.edit("enabled = false", "enabled = true")
    house.signal(signal.SIGHUP)
    house.until(lambda: "reloaded" in house.log, "the reload")
    assert "restart_needed" not in house.log
    house.post(OPEN + "！", "k-2")
    on = house.until_filed(2)[-1]["complaint"]
    assert on["category"] == "product.design"
    assert on["provenance"]["category"]["source"] == "model-endpoint:qwen3:8b"
    assert off["provenance"].get("category", {}).get("source") != "model-endpoint:qwen3:8b"
    found = figures(house)
    assert found['allears_model_calls_total{result="answered"}'] == 1
    assert found['allears_model_fields_total{field="category"}'] == 1
    assert found["allears_model_calls_left"] == 199
    assert found["allears_model_up"] == 1
    assert house.stop() == 0
    for secret in (KEY, "13800138000", "沙发"):
        assert secret not in house.log
    assert "13800138000" not in str(endpoint.heard)
