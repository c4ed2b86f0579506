"""Slack's own clients on our server: what it says is what they understand."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from tests.connectors.slack.slack_payloads import APP_TOKEN, BOT_TOKEN, LI_LEI, SUPPORT, TEAM, stamp
from tests.connectors.slack.slack_server import SlackServer, until


def client_of(slack: SlackServer, token: str = BOT_TOKEN) -> AsyncWebClient:
    return AsyncWebClient(token=token, base_url=f"{slack.url}/api/")


async def test_the_web_client_pages_through_conversations(slack: SlackServer) -> None:
    client = client_of(slack)
    assert (await client.auth_test())["team_id"] == TEAM
    names: list[str] = []
    async for page in await client.users_conversations(types="public_channel,private_channel,im", limit=2):
        names += [channel["id"] for channel in page["channels"]]
    assert names == list(slack.conversations)
    assert (await client.users_info(user=LI_LEI))["user"]["profile"]["real_name"] == "李雷"


async def test_the_web_client_reads_a_history_and_a_thread(slack: SlackServer) -> None:
    root = slack.say("root")
    for number in range(4):
        slack.say(f"{number}")
        slack.say(f"answer {number}", thread_ts=root)
    client = client_of(slack)
    texts: list[str] = []
    async for page in await client.conversations_history(channel=SUPPORT, oldest="0", latest=stamp(9999), limit=2):
        texts += [message["text"] for message in page["messages"]]
    assert texts == ["3", "2", "1", "0", "root"]
    forwards = await client.conversations_history(channel=SUPPORT, oldest=stamp(1), limit=2)
    assert [message["text"] for message in forwards["messages"]] == ["0", "root"]
    answers: list[str] = []
    async for page in await client.conversations_replies(channel=SUPPORT, ts=root, limit=3):
        answers += [message["text"] for message in page["messages"][1:]]
    assert answers == [f"answer {number}" for number in range(4)]


async def test_the_web_client_understands_refusals_and_limits(
    slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SlackApiError, match="invalid_auth"):
        await client_of(slack, "xoxb-wrong").auth_test()
    slack.limited["auth.test"] = [0]
    client = client_of(slack)
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    assert (await client.auth_test())["ok"]
    slack.limited["chat.postMessage"] = [9]
    with pytest.raises(SlackApiError) as caught:
        await client_of(slack).chat_postMessage(channel=SUPPORT, text="x")
    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "9")
    posted = await client_of(slack).chat_postMessage(channel=SUPPORT, text="谢谢", thread_ts=stamp(1))
    assert slack.posts[SUPPORT][posted["ts"]]["text"] == "谢谢"


async def test_the_socket_client_hears_acks_and_moves_on(slack: SlackServer) -> None:
    logging.getLogger("slack_sdk").setLevel(logging.CRITICAL)
    heard: list[dict[str, Any]] = []

    async def listen(client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        heard.append(request.payload["event"])
        await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))

    client = SocketModeClient(app_token=APP_TOKEN, web_client=client_of(slack), ping_interval=1)
    client.socket_mode_request_listeners.append(listen)
    try:
        await client.connect()  # type: ignore[no-untyped-call] # slack-sdk leaves it untyped
        slack.say("屏幕碎了😡")
        await until(lambda: slack.acked == ["e-1"])
        slack.disconnect("refresh_requested")
        await until(lambda: slack.calls.count("apps.connections.open") == 2)
        await asyncio.sleep(0.1)
        slack.say("on the next connection")
        await until(lambda: len(slack.acked) == 2)
    finally:
        await client.close()  # type: ignore[no-untyped-call] # slack-sdk leaves it untyped
    assert [event["text"] for event in heard] == ["屏幕碎了😡", "on the next connection"]
