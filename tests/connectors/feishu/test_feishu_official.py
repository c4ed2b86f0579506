"""Our simulator and our frames, as Feishu's own SDK (lark-oapi) sees them: not only we understand ourselves."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.testing import FakeClock
from connectors.feishu.frames import CONTROL, DATA, Frame, encode
from tests.connectors.feishu.feishu_server import (
    APP_ID,
    APP_SECRET,
    ENCRYPT_KEY,
    LILEI,
    TOKEN,
    FeishuServer,
    post,
    received,
    until,
)

CLIENT = Path(__file__).with_name("lark_client.py")
FRAMES = (
    Frame(method=CONTROL, service=33554678, headers=(("type", "ping"),)),
    Frame(
        method=DATA,
        service=7,
        seq_id=2**63,
        log_id=1,
        headers=(("type", "event"), ("message_id", "消息"), ("sum", "1")),
        payload_encoding="utf-8",
        payload_type="json",
        payload=b"\x00\xff" * 200,
        log_id_new="log",
    ),
)


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
async def said(feishu: FeishuServer) -> list[dict[str, Any]]:
    return [feishu.say(text) for text in ("电饭煲坏了😡", "要求退款", "Refund please")]


@pytest.fixture
async def official(feishu: FeishuServer, clock: FakeClock, said: list[dict[str, Any]]) -> AsyncIterator[Official]:
    request = post(received(said[0]), clock)
    frames = [encode(frame).hex() for frame in FRAMES]
    posted = json.dumps({"headers": dict(request.headers), "body": request.body.decode(), "frames": frames})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CLIENT), feishu.url, APP_ID, APP_SECRET, ENCRYPT_KEY, TOKEN, posted),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    yield Official(process)
    process.kill()
    await process.wait()


async def test_their_client_understands_our_simulator(
    official: Official, feishu: FeishuServer, said: list[dict[str, Any]]
) -> None:
    ids = [item["message_id"] for item in said]
    ours = [encode(frame).hex() for frame in FRAMES]
    assert await official.told() == {"frames": ours}, "their protocol buffers read our frames and write the same bytes"
    assert await official.told() == {"heard": ids[0], "text": "电饭煲坏了😡", "who": LILEI}
    assert await official.told() == {"status": 200}, "their dispatcher accepts our signature and encryption"
    assert await official.told() == {"code": 0, "more": True, "listed": ids[:2]}
    assert await official.told() == {"code": 0}
    assert [(reply["message"], reply["uuid"]) for reply in feishu.replies] == [(ids[0], "u-1")]
    await until(lambda: feishu.pings)
    feishu.most_parts_bytes = 90
    await feishu.push(received(said[1]), name="in parts")
    assert await official.told() == {"heard": ids[1], "text": "要求退款", "who": LILEI}
    await until(lambda: feishu.acknowledged == ["in parts"])
