"""The long connection: acknowledged after the commit, put together from parts, kept alive, and left in order."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allears_sdk.connector import Batch, Wake
from allears_sdk.errors import AuthError, Unavailable
from allears_sdk.message import Raw
from connectors.feishu.frames import CONTROL, DATA, BadFrame, Frame, decode, encode
from connectors.feishu.line import PING_SECONDS, ping_seconds
from tests.connectors.feishu.conftest import Make
from tests.connectors.feishu.feishu_server import FeishuServer, closing, envelope, recalled, received, until


class Listener:
    """Takes what a connector hears, as the core does."""

    def __init__(self, connector: Any) -> None:
        self.items = connector.listen()
        self.wakes = 0

    async def hear(self) -> Raw:
        """The next raw. It counts as stored once the next one is asked for."""
        async for item in self.items:
            if isinstance(item, Wake):
                self.wakes += 1
                continue
            assert isinstance(item, Batch)
            assert item.cursor is None
            return item.raws[0]
        raise AssertionError("the line ended")


async def test_an_event_is_acknowledged_once_it_is_stored(connected: Make, feishu: FeishuServer) -> None:
    listener = Listener(connected())
    async with closing(listener.items):
        assert isinstance(await anext(listener.items), Wake)
        first, second = feishu.say("电饭煲坏了"), feishu.say("要求退款")
        await feishu.push(received(first), name="one")
        await feishu.push(received(second), name="two")
        assert (await listener.hear()).key == first["message_id"]
        assert feishu.acknowledged == []
        assert (await listener.hear()).key == second["message_id"]
        await until(lambda: feishu.acknowledged == ["one"])
    await asyncio.sleep(0.02)
    assert list(feishu.unacknowledged) == ["two"], "what was not stored must be sent again"


async def test_what_was_not_acknowledged_comes_again(connected: Make, feishu: FeishuServer) -> None:
    connector = connected()
    async with closing(connector.listen()) as items:
        await anext(items)
        await feishu.push(received(feishu.say("电饭煲坏了")))
        while not isinstance(item := await anext(items), Batch):
            pass
    listener = Listener(connector)
    async with closing(listener.items):
        await anext(listener.items)
        await feishu.push_again()
        again = await listener.hear()
    assert (again.key, again.digest, again.body) == (item.raws[0].key, item.raws[0].digest, item.raws[0].body)


async def test_a_large_event_comes_in_parts(connected: Make, feishu: FeishuServer) -> None:
    feishu.most_parts_bytes = 100
    listener = Listener(connected())
    async with closing(listener.items):
        await anext(listener.items)
        item = feishu.say("长" * 2000 + "😡")
        await feishu.push(received(item), name="large")
        raw = await listener.hear()
        assert json.loads(raw.body)["event"]["message"]["content"] == item["body"]["content"]
        assert len(feishu.sent) > 50
        await feishu.push(received(feishu.say("下一条")))
        await listener.hear()
        await until(lambda: feishu.acknowledged == ["large"])


async def test_ignored_and_unreadable_events_are_acknowledged(connected: Make, feishu: FeishuServer) -> None:
    listener = Listener(connected())
    async with closing(listener.items):
        await anext(listener.items)
        await feishu.push(envelope("im.message.message_read_v1", {"reader": {}}, at="1767225600000"), name="read")
        await feishu.push({"schema": 2.0}, name="odd")
        await feishu.push(received(feishu.say("投诉")), name="said")
        await listener.hear()
        await until(lambda: feishu.acknowledged == ["read", "odd"])


async def test_pings_in_the_rhythm_the_server_asks_for(connected: Make, feishu: FeishuServer) -> None:
    feishu.client_config = {"PingInterval": 1}
    feishu.pong = b'{"PingInterval": 1, "ReconnectCount": -1}'
    task = asyncio.ensure_future(Listener(connected()).hear())
    await until(lambda: feishu.pings >= 2)
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize(
    ("config", "seconds"),
    [
        ({"PingInterval": 90}, 90),
        ({"PingInterval": 10**9}, 600),
        ({}, 0),
        ({"PingInterval": "x"}, 0),
        ({"PingInterval": -1}, 0),
    ],
)
def test_ping_seconds(config: dict[str, Any], seconds: float) -> None:
    assert ping_seconds(config) == seconds
    assert PING_SECONDS == 120


async def test_the_server_closes(connected: Make, feishu: FeishuServer) -> None:
    items = connected().listen()
    await anext(items)
    await feishu.sockets[-1].close()
    with pytest.raises(StopAsyncIteration):
        await anext(items)


@pytest.mark.parametrize("bytes_", [b"\xff" * 20, b"\x0a\xff", b"\x03"])
async def test_what_is_no_frame_ends_the_line(connected: Make, feishu: FeishuServer, bytes_: bytes) -> None:
    items = connected().listen()
    await anext(items)
    await feishu.sockets[-1].send_bytes(bytes_)
    with pytest.raises(Unavailable, match="no frame"):
        await anext(items)


async def test_impossible_parts_end_the_line(connected: Make, feishu: FeishuServer) -> None:
    items = connected().listen()
    await anext(items)
    headers = (("type", "event"), ("message_id", "m"), ("sum", "2"), ("seq", "2"))
    await feishu.sockets[-1].send_bytes(encode(Frame(method=DATA, headers=headers)))
    with pytest.raises(Unavailable, match="impossible parts"):
        await anext(items)


async def test_parts_that_never_end_are_forgotten(connected: Make, feishu: FeishuServer) -> None:
    listener = Listener(connected())
    async with closing(listener.items):
        await anext(listener.items)
        for number in range(40):
            headers = (("type", "event"), ("message_id", f"m{number}"), ("sum", "2"), ("seq", "0"))
            await feishu.sockets[-1].send_bytes(encode(Frame(method=DATA, headers=headers, payload=b"x" * 1000)))
        await feishu.push(received(feishu.say("投诉")))
        assert (await listener.hear()).body


async def test_credentials_are_refused(connected: Make) -> None:
    with pytest.raises(AuthError, match="long connection") as caught:
        await anext(connected(app_secret="wrong-s3cret").listen())
    assert "wrong-s3cret" not in f"{caught.value!r} {caught.value.detail}"


async def test_a_recall_of_what_nobody_knows_opens_nothing(connected: Make, feishu: FeishuServer) -> None:
    connector = connected()
    listener = Listener(connector)
    async with closing(listener.items):
        await anext(listener.items)
        await feishu.push(recalled(feishu.say("手滑")))
        raw = await listener.hear()
    (message,) = connector.parse(raw, connector.settings)
    assert (message.kind, message.author.role, message.revision) == ("withdrawn", "company", "recalled")


FRAMES = st.builds(
    Frame,
    method=st.sampled_from([CONTROL, DATA]),
    service=st.integers(0, 2**31 - 1),
    seq_id=st.integers(0, 2**64 - 1),
    log_id=st.integers(0, 2**64 - 1),
    headers=st.lists(st.tuples(st.text(max_size=20), st.text(max_size=300)), max_size=5).map(tuple),
    payload_encoding=st.text(max_size=5),
    payload_type=st.text(max_size=5),
    payload=st.binary(max_size=300),
    log_id_new=st.text(max_size=40),
)


@given(FRAMES)
def test_frames_there_and_back(frame: Frame) -> None:
    assert decode(encode(frame)) == frame


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_refused(data: bytes) -> None:
    try:
        decode(data)
    except BadFrame:
        return
