"""Slack through the whole daemon: filed and answered in the thread, followed up, and killed while a storm goes on."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession

from allears_sdk.reference import find_references
from tests.connectors.slack.slack_payloads import (
    APP_TOKEN,
    BOT,
    BOT_TOKEN,
    KIM,
    LI_LEI,
    SIGNING_SECRET,
    SUPPORT,
    event,
    signed,
)
from tests.connectors.slack.slack_server import SlackServer, until
from tests.daemon.house import House

CHANNEL = """
[channels.slack]
connector = "slack"
url = "{url}/api/"
bot_token = "{bot}"
app_token = "{app}"
one_complaint_per = "post"
settle_seconds = 0.1
settle_max_seconds = 1
"""
ACKNOWLEDGE = "[channels.slack.acknowledge]\n"
POSTS, KILLS = 40, 3


@pytest.fixture
async def slack() -> AsyncIterator[SlackServer]:
    slack = SlackServer(int(time.time()) - 3600)
    await slack.start()
    yield slack
    await slack.stop()


async def begin(house: House, slack: SlackServer, more: str = "") -> None:
    house.configure(CHANNEL.format(url=slack.url, bot=BOT_TOKEN, app=APP_TOKEN) + more)
    await asyncio.to_thread(house.start)
    await until(lambda: bool(slack.links), 20)


def since(slack: SlackServer) -> float:
    """Now, in the workspace's own seconds: what was said before the journal was born is answered by nobody."""
    return time.time() - slack.began


async def filed(house: House, count: int) -> list[dict[str, Any]]:
    return await asyncio.to_thread(house.until_filed, count)


async def test_a_complaint_its_answer_and_what_follows(house: House, slack: SlackServer) -> None:
    await begin(house, slack, ACKNOWLEDGE)
    root = slack.say("订单 2026112200017 屏幕碎了，要求退款！", at=since(slack))
    (opened,) = await filed(house, 1)
    await until(lambda: len(slack.posts[SUPPORT]) == 2, 20)
    answer = next(post for post in slack.posts[SUPPORT].values() if post.get("bot_id") == BOT)
    reference = opened["complaint"]["id"]
    assert (answer["thread_ts"], find_references(answer["text"])) == (root, (reference,))

    slack.say("还没有人回复，太差了！再不退款就投诉", at=since(slack), thread_ts=root)
    await filed(house, 2)
    slack.edit(root, "订单 2026112200018 屏幕碎了，要求退款！", at=since(slack))
    await filed(house, 3)
    slack.delete(root)
    events = await filed(house, 4)
    assert {one["complaint"]["id"] for one in events} == {reference}
    assert [one["event"]["kind"] for one in events[:3]] == ["opened", "followed_up", "edited"]
    assert events[3]["complaint"]["tags"] == ["withdrawn"]
    assert "2026112200018" in events[2]["complaint"]["product_or_order"]
    assert await asyncio.to_thread(house.stop) == 0
    assert len([post for post in slack.posts[SUPPORT].values() if post.get("bot_id") == BOT]) == 1


async def test_nothing_lost_nothing_doubled_through_kills(house: House, slack: SlackServer) -> None:
    await begin(house, slack)
    chance = random.Random(4711)

    async def storm() -> None:
        for number in range(POSTS):
            slack.say(f"第{number:02d}单屏幕碎了，要求退款！", at=number, by=(LI_LEI, KIM)[number % 2])
            if slack.links and chance.random() < 0.3:  # Slack thinks we are too slow
                for envelope, frame in list(slack.links[-1].pending.items()):
                    slack.send(frame["payload"], attempt=1, envelope=envelope)
            await asyncio.sleep(chance.uniform(0, 0.1))

    storming = asyncio.create_task(storm())
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.1, 0.4))
        house.signal(signal.SIGKILL)
        await asyncio.to_thread(house.wait)
        await asyncio.to_thread(house.start)
    await storming
    lines = await filed(house, POSTS)
    assert await asyncio.to_thread(house.stop) == 0
    texts = [line["complaint"]["description"] for line in lines]
    assert sorted(texts) == [f"第{number:02d}单屏幕碎了，要求退款！" for number in range(POSTS)]


async def test_events_pushed_over_http(house: House, slack: SlackServer) -> None:
    channel = CHANNEL.replace("app_token = ", "signing_secret = ")
    house.configure(channel.format(url=slack.url, bot=BOT_TOKEN, app=SIGNING_SECRET))
    await asyncio.to_thread(house.start)
    address = house.addresses["forms"][0].replace("/in/form", "/in/slack")

    async def push(payload: dict[str, Any], secret: str = SIGNING_SECRET, at: float = 0) -> tuple[int, str]:
        body = json.dumps(payload, ensure_ascii=False).encode()
        headers = dict(signed(body, int(time.time() + at), secret))
        async with ClientSession() as client, client.post(address, data=body, headers=headers) as answer:
            return answer.status, await answer.text()

    assert await push({"type": "url_verification", "challenge": "c-77"}) == (200, '{"challenge":"c-77"}')
    ts = slack.say("订单 77 屏幕碎了，要求退款！", at=since(slack))
    payload = event(SUPPORT, slack.posts[SUPPORT][ts])
    assert (await push(payload, "another-secret"))[0] == 401
    assert (await push(payload, at=-600))[0] == 401
    assert [await push(payload), await push(payload)] == [(200, ""), (200, "")]
    (opened,) = await filed(house, 1)
    assert opened["complaint"]["description"] == "订单 77 屏幕碎了，要求退款！"
    assert await asyncio.to_thread(house.stop) == 0
    assert len(house.filed()) == 1


async def test_check_and_a_first_word_from_a_customer(house: House, slack: SlackServer) -> None:
    slack.say("您好，耳机坏了，要求换货", at=10, by=LI_LEI)
    house.configure(CHANNEL.format(url=slack.url, bot=BOT_TOKEN, app=APP_TOKEN))
    checked = await asyncio.to_thread(house.command, "check")
    assert "@allears in Acme 商城" in checked.stdout, checked.stdout + checked.stderr
    assert checked.returncode == 0
    slack.tokens.clear()
    refused = await asyncio.to_thread(house.command, "check")
    assert refused.returncode != 0
    assert BOT_TOKEN not in refused.stdout + refused.stderr
