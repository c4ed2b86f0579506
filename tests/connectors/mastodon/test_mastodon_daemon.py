"""The whole daemon on a Mastodon server: filed, answered, followed up, edited, withdrawn."""

from __future__ import annotations

import asyncio
from typing import Any

from allears_sdk.reference import find_references
from tests.connectors.mastodon.mastodon_server import ANA, BOB, SHOP, Mastodon, until
from tests.daemon.house import House

CHANNEL = """
[channels.fediverse]
connector = "mastodon"
url = "{url}"
access_token = "{token}"
interval_seconds = 1
[channels.fediverse.acknowledge]
"""


async def filed(house: House, count: int) -> list[dict[str, Any]]:
    return await asyncio.to_thread(house.until_filed, count)


async def test_a_complaint_its_answer_and_what_follows(house: House, mastodon: Mastodon) -> None:
    house.configure(CHANNEL.format(url=mastodon.url, token=SHOP))
    await asyncio.to_thread(house.start)
    await until(lambda: bool(mastodon.listeners), 20)
    await mastodon.say("@shop 恭喜发布新品，期待！", by=BOB)
    asked = await mastodon.say("@shop 订单 2026112200017 屏幕碎了，要求退款！")
    (opened,) = await filed(house, 1)
    reference = opened["complaint"]["id"]
    answers: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while not answers:
            answers = await mastodon.answers(to=asked["id"])
    assert find_references(answers[0]["content"]) == (reference,)

    ours = await mastodon.say("@ana 抱歉，请提供照片", by=SHOP, in_reply_to_id=asked["id"])
    await mastodon.say("@shop 还没有退款，太差了！再不退就投诉到底", in_reply_to_id=ours["id"])
    lines = await filed(house, 2)
    assert {one["complaint"]["id"] for one in lines} == {reference}
    said = [message["text"] for message in lines[-1]["complaint"]["conversation"]]
    assert any("请提供照片" in text for text in said)

    await mastodon.follow((await mastodon.account(ANA))["id"])  # this server tells followers alone
    await mastodon.delete(asked["id"])
    await until(lambda: any("withdrawn" in one["complaint"]["tags"] for one in house.filed()), 20)
    assert await asyncio.to_thread(house.stop) == 0
    assert "Traceback" not in house.log
    assert {one["complaint"]["id"] for one in house.filed()} == {reference}
    assert [one["event"]["kind"] for one in house.filed()] == ["opened", "followed_up", "edited"]
