"""The whole daemon on Judge.me: pushed and signed, with a picture; read; edited."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from allears_sdk import connector
from tests.connectors._shop.served import served
from tests.connectors.judge_me.conftest import SHOP, TOKEN, JudgeMe, post, pushed
from tests.daemon.house import House

CHANNEL = f"""
[channels.judge-me]
connector = "judge_me"
shop_domain = "{SHOP}"
api_token = "{TOKEN}"
url = "{{url}}"
"""


def push(house: House, request: connector.Request) -> int:
    address = house.addresses["forms"][0].replace("/in/form", "/in/judge-me")
    try:
        with urlopen(Request(address, data=request.body, headers=dict(request.headers)), timeout=10) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def test_pushed_read_and_edited(house: House) -> None:
    judge_me, written = JudgeMe(), ago(minutes=5)
    row = judge_me.write(1, "It leaked, I want a refund", created_at=written)
    judge_me.write(2, "Lovely, thank you", stars=5, created_at=ago(hours=3))
    judge_me.write(3, "Never again", created_at=ago(days=60))
    with served(judge_me.answer) as url:
        house.configure(CHANNEL.format(url=url))
        house.start()
        assert push(house, post(pushed("review/created", row), secret="another")) == 401
        assert push(house, post(pushed("review/created", row))) == 200
        (opened,) = house.until_filed(1)
        record = opened["complaint"]
        assert (record["rating"]["value"], record["product_or_order"]) == (1.0, "Demo Kettle 1.7 l")
        assert record["contact"]["email"] == "demo1@example.com"
        house.until(lambda: len(judge_me.asked) >= 2, "the first page read, and stored")
        row = judge_me.write(1, "It leaked, and nobody answers. Refund!", created_at=written)
        assert push(house, post(pushed("review/updated", row))) == 200
        house.until_filed(2)
        assert {one["complaint"]["id"] for one in house.filed()} == {record["id"]}
        assert house.stop() == 0
    assert "Traceback" not in house.log
    assert TOKEN not in house.log
