"""Our simulator, as DingTalk's own SDK (dingtalk-stream) sees it: not only we understand ourselves."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.dingtalk.dingtalk_server import CLIENT_ID, CLIENT_SECRET, STAFF, DingTalkServer, until

CLIENT = Path(__file__).with_name("stream_client.py")


class Official:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def told(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            if line.startswith(b"{"):
                told: dict[str, Any] = json.loads(line)
                return told
        raise AssertionError("the client ended")


@pytest.fixture
async def official(dingtalk: DingTalkServer) -> AsyncIterator[Official]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CLIENT), CLIENT_ID, CLIENT_SECRET),
        env={**os.environ, "DINGTALK_OPENAPI_ENDPOINT": dingtalk.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    yield Official(process)
    process.kill()
    await process.wait()


async def test_their_client_understands_our_simulator(official: Official, dingtalk: DingTalkServer) -> None:
    dingtalk.files["code1"] = (b"PNG", "image/png")
    await until(lambda: dingtalk.sockets)
    first = dingtalk.say("电饭煲坏了😡")
    await dingtalk.push(first, name="one")
    assert await official.told() == {
        "id": first["msgId"],
        "kind": "text",
        "texts": ["电饭煲坏了😡"],
        "images": [],
        "who": STAFF,
        "until": first["sessionWebhookExpiredTime"],
    }
    rich = {"richText": [{"text": "盖子裂了"}, {"downloadCode": "code1", "type": "picture"}]}
    await dingtalk.push(dingtalk.say("", msgtype="richText", content=rich), name="two")
    told = await official.told()
    assert (told["kind"], told["texts"]) == ("richText", ["盖子裂了"])
    assert told["images"] == [f"{dingtalk.url}/files/code1?signature=x"]
    await until(lambda: len(dingtalk.acknowledged) == 2)
    assert dingtalk.unacknowledged == {}
    ours = {"code": 200, "headers": {"messageId": "one", "contentType": "application/json"}}
    assert ours.items() <= dingtalk.acknowledged[0].items(), "they acknowledge as we do"
    assert [answer["text"] for answer in dingtalk.answers] == [{"content": "收到"}] * 2
