"""The printed hotline on a running daemon: filed once, killed between, the same answer again, mended and replayed."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from allears_sdk.signing import hmac_hex
from tests.connectors.webhook.conftest import PAGES
from tests.daemon.house import House

SECRET = "hotline-secret-01"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    (tmp_path / "secret").write_text(SECRET)
    text = PAGES[0].read_text(encoding="utf-8")
    block = next(part for part in text.split("```toml\n") if part.startswith("[channels.hotline]\nconnector"))
    house.configure(block.partition("```")[0].replace("env:HOTLINE_SECRET", "file:secret"))
    house.start()
    yield house
    house.clear()


def call(house: House, *, secret: str = SECRET, **fields: Any) -> tuple[int, bytes]:
    body = json.dumps({"event": "call.ended", "from": "+8613800138000", **fields}, ensure_ascii=False).encode()
    timestamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "X-Timestamp": timestamp,
        "X-Signature": "sha256=" + hmac_hex(secret, timestamp.encode() + b"." + body),
    }
    request = Request(house.addresses["forms"][0].replace("/in/form", "/in/hotline"), data=body, headers=headers)
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()


def test_a_call_is_filed_once_and_answered_alike(house: House) -> None:
    status, first = call(house, call_id="c-1", transcript="充电宝发烫，我要退款。")
    house.signal(signal.SIGKILL)
    house.wait()
    house.start()
    again = call(house, call_id="c-1", transcript="充电宝发烫，我要退款。")
    assert (status, again) == (202, (202, first))
    (event,) = house.until_filed(1)
    assert event["complaint"]["id"] == json.loads(first)["reference"]
    late = call(house, call_id="c-1", event="recording", summary="录音里还说客服态度差。")
    assert late == (202, first), "what comes late joins the same complaint"
    assert len(house.until_filed(2)) == 2


def test_forgeries_and_nonsense(house: House) -> None:
    assert call(house, secret="another-secret", call_id="c-1", transcript="x")[0] == 401
    assert call(house, call_id="c-2", nothing="here")[0] == 202
    house.until(lambda: "unreadable" in house.log, "a letter")
    shown = house.command("letters", "list")
    assert "map.text" in shown.stdout
    assert house.filed() == []
    house.edit('"$.text"]', '"$.text", "$.nothing"]')
    house.signal(signal.SIGHUP)
    house.until(lambda: house.log.count("reload") > 0, "the new mapping")
    house.command("letters", "replay", "--all")
    (event,) = house.until_filed(1)
    assert event["complaint"]["description"] == "here"
