"""Private messages that are pushed: who knocks, what is said, recalled, repeated."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Kind, Message, Role
from allears_sdk.testing import RecordingLog
from connectors.douyin import DouyinConnector
from connectors.douyin.events import signature
from tests.connectors.douyin.conftest import (
    ACCOUNT,
    CONVERSATION,
    CUSTOMER,
    HOOK_SECRET,
    SECRET,
    Connect,
    deliver,
    make_event,
)


async def said(connector: DouyinConnector, event: Any) -> Message:
    (raw,) = (await connector.receive(deliver(event))).raws
    (message,) = connector.parse(raw, connector.settings)
    return message


def test_a_signature() -> None:
    body = b'{"event":"verify_webhook","client_key":"","content":{"challenge":12345}}'
    assert signature("dySecret123", body) == "68e4a254146c6ab911cdc88c7eb87f018d2618f3"


@pytest.mark.parametrize("content", [{"challenge": 12345}, '{"challenge": 12345}'])
async def test_the_consoles_check_of_the_address(connect: Connect, content: Any) -> None:
    event = {"event": "verify_webhook", "client_key": "", "content": content}
    reception = await connect().receive(deliver(event))
    answer = reception.answer(())
    assert (reception.raws, answer.body, answer.media_type) == ((), b'{"challenge":12345}', "application/json")


@pytest.mark.parametrize("content", ["", "{", {"challenge": [1]}, {"challenge": "x" * 1000}, {}], ids=str)
async def test_no_check_of_the_address(connect: Connect, content: Any) -> None:
    assert (await connect().receive(deliver({"event": "verify_webhook", "content": content}))).refused


async def test_only_douyin_may_knock(connect: Connect) -> None:
    connector = connect()
    for request in (
        deliver(make_event(), secret="another"),
        deliver(make_event(), secret=HOOK_SECRET),
        deliver(make_event(), method="GET"),
    ):
        assert (await connector.receive(request)).refused
    both = connect(webhook_secret=HOOK_SECRET)
    for secret in (SECRET, HOOK_SECRET):
        assert not (await both.receive(deliver(make_event(), secret=secret))).refused


@pytest.mark.parametrize("as_text", [False, True], ids=["object", "json"])
async def test_a_message_is_read_exactly(connect: Connect, as_text: bool) -> None:
    event = make_event(create_time=1767225600000)
    if as_text:
        event["content"] = json.dumps(event["content"])
    assert await said(connect(), event) == Message(
        text="退款一直没到",
        external_id="m:@m1+==",
        thread=(f"talk:{CONVERSATION}",),
        author=Author(id=CUSTOMER, name="王先生"),
        posted_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


async def test_what_the_company_writes_is_context(connect: Connect) -> None:
    message = await said(connect(), make_event("im_send_msg", by=ACCOUNT, to=CUSTOMER, text="您好，已为您加急"))
    assert (message.author.role, message.participants, message.thread) == (
        Role.COMPANY,
        (CUSTOMER,),
        (f"talk:{CONVERSATION}",),
    )


async def test_what_is_taken_back_is_noted(connect: Connect) -> None:
    connector = connect()
    first = (await connector.receive(deliver(make_event()))).raws[0]
    (raw,) = (await connector.receive(deliver(make_event("im_recall_msg", text=None)))).raws
    (message,) = connector.parse(raw, connector.settings)
    assert raw.key != first.key
    assert (message.kind, message.external_id, message.text) == (Kind.WITHDRAWN, "m:@m1+==", "")


async def test_a_repetition_is_the_same_message(connect: Connect) -> None:
    connector = connect()
    events = [make_event(), make_event(server_message_id="@m2"), make_event(server_message_id="")]
    keys = [(await connector.receive(deliver(event, message=str(n)))).raws[0].key for n, event in enumerate(events)]
    again = [(await connector.receive(deliver(event, message=str(n)))).raws[0].key for n, event in enumerate(events)]
    assert keys == again
    assert len(set(keys)) == 3


@pytest.mark.parametrize("kind", ["image", "user_local_image", "video", "user_local_video"])
async def test_a_picture_is_named_though_nobody_hands_it_out(connect: Connect, kind: str) -> None:
    message = await said(connect(), make_event(message_type=kind, text=None))
    assert [file.skipped for file in message.attachments] == ["Douyin shows it in its app only"]


@pytest.mark.parametrize("kind", ["emoji", "retain_consult_card", "other"])
async def test_other_kinds_are_named(connect: Connect, kind: str) -> None:
    assert (await said(connect(), make_event(message_type=kind, text=None))).text == f"[{kind}]"


async def test_events_that_say_nothing(connect: Connect, log: RecordingLog) -> None:
    connector = connect()
    for kind in ("im_enter_direct_msg", "im_message_read", "authorize", "new_video_digg", "new_video_digg"):
        reception = await connector.receive(deliver(make_event(kind)))
        assert (reception.raws, reception.wakes, reception.refused) == ((), (), "")
    assert [event for _, event, _ in log.entries] == ["push_noted"]
    await connector.receive(deliver(make_event("unauthorize")))
    assert log.entries[-1][:2] == ("warning", "grant_taken_back")


async def test_a_new_video_is_a_sign_to_poll(connect: Connect) -> None:
    reception = await connect().receive(deliver(make_event("create_video")))
    assert [wake.stream for wake in reception.wakes] == [f"douyin://{ACCOUNT}/comments"]
    assert (await connect(read_comments=False).receive(deliver(make_event("create_video")))).wakes == ()


async def test_a_message_of_a_kind_we_do_not_know_is_kept(connect: Connect) -> None:
    message = await said(connect(), make_event("im_group_receive_msg"))
    assert message.is_automatic


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b'{"event": 5}',
        b'{"event": "im_receive_msg", "content": "{"}',
        b'{"event": "im_receive_msg", "content": {"text": 7}}',
        b'{"event": "im_receive_msg", "content": {"user_infos": "x"}}',
        b'{"event": "im_receive_msg", "content": ' + b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:60]),
)
async def test_what_cannot_be_read_is_kept(connect: Connect, body: bytes) -> None:
    connector = connect()
    (raw,) = (await connector.receive(deliver(body))).raws
    assert raw.body == body
    with pytest.raises(BadMessage):
        connector.parse(raw, connector.settings)
