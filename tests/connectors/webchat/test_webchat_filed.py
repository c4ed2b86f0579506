"""From the widget's requests to one filed complaint, through a real daemon that is killed on the way."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from tests.connectors.webchat.conftest import TOKEN
from tests.daemon.house import TOKEN as CONSOLE
from tests.daemon.house import House

CHAT = """
[channels.chat]
connector = "webchat"
settle_seconds = 1
"""
PHOTO = b"\xff\xd8\xff\xe0" + b"crack" * 50_000


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.configure(CHAT)
    yield house
    house.clear()


def send(house: House, path: str, body: bytes, method: str = "POST") -> dict[str, Any]:
    address = house.addresses["forms"][0].replace("/in/form", f"/in/chat{path}")
    headers = {"Authorization": f"Visitor {TOKEN}", "Content-Type": "image/jpeg" if method == "PUT" else "text/json"}
    with urlopen(Request(address, data=body, headers=headers, method=method), timeout=10) as answer:
        read: dict[str, Any] = json.load(answer)
    return read


def say(house: House, message: str, text: str, **fields: Any) -> str:
    body = json.dumps({"id": message, "conversation": "c1", "text": text, **fields}).encode()
    return str(send(house, "/messages", body)["reference"])


def everything(house: House) -> set[str]:
    """All a visitor sends, as the widget sends it again while it does not know better; the references it gets."""
    name = quote("裂纹.jpg")
    return {
        say(house, "m1", "你好"),
        say(house, "m2", "耳机用了两天，左边就没声音了，要求退款"),
        str(send(house, f"/files/f1?conversation=c1&message=m2&name={name}", PHOTO, "PUT")["reference"]),
        say(house, "m3", "称呼：李雷\n电话：13800138000", contact={"name": "李雷", "phone": "13800138000"}),
    }


@pytest.mark.timeout(120)
def test_a_chat_is_one_complaint_though_all_is_sent_three_times(house: House) -> None:
    house.start()
    first = everything(house)
    house.signal(signal.SIGKILL)
    house.wait()
    house.start()
    assert everything(house) == everything(house) == first
    assert len(first) == 1
    house.until(lambda: house.filed() and _is_whole(house.filed()[-1]), "a record with all of it")
    events = house.filed()
    record = events[-1]["complaint"]
    assert [event["event"]["kind"] for event in events].count("opened") == 1
    assert record["id"] in first
    assert [said["text"] for said in record["conversation"] if said["text"]] == [
        "你好",
        "耳机用了两天，左边就没声音了，要求退款",
        "称呼：李雷\n电话：13800138000",
    ]
    assert (record["contact"]["name"], record["contact"]["phone"]) == ("李雷", "13800138000")
    assert [(file["name"], file["size"]) for file in record["attachments"]] == [("裂纹.jpg", len(PHOTO))]
    assert _photo(house, record) == PHOTO


def _is_whole(event: dict[str, Any]) -> bool:
    record = event["complaint"]
    return bool(record["attachments"] and record["contact"]["phone"] and len(record["conversation"]) == 4)


def _photo(house: House, record: dict[str, Any]) -> bytes:
    place = next(at for at, said in enumerate(record["conversation"]) if not said["text"])
    address = f"{house.addresses['console']}/complaints/{record['id']}/attachments/{place}/0"
    with urlopen(Request(address, headers={"Authorization": f"Bearer {CONSOLE}"}), timeout=10) as answer:
        content: bytes = answer.read()
    return content
