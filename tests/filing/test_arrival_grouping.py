"""How the messages of a chat reach us (at once, one by one, in pages, newest first) changes no record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

import pytest

from allears.journal.records import ComplaintFile
from allears_sdk.complaint import Complaint
from allears_sdk.message import MESSAGE_JSON, Raw
from allears_sdk.testing.clock import START
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import changes, derive
from normalizer.readers.message_json import read_messages
from tests.filing.office import Office

SAID = (
    "你好",
    "上周买的空气炸锅坏了，插上电不加热",
    "订单号3384756201948857231",
    "打了三次电话都没人接",
    "要求退款，电话13812348000",
)
ARRIVALS = {
    "at once": ([0, 1, 2, 3, 4],),
    "one by one": ([0], [1], [2], [3], [4]),
    "in pages": ([0, 1], [2, 3], [4]),
    "newest first": ([4], [3], [2], [1], [0]),
    "pages newest first": ([3, 4], [0, 1, 2]),
    "one of them twice": ([0, 1, 2], [2], [3, 4], [0]),
}
POSTED = START - timedelta(minutes=10)


def raw(number: int) -> Raw:
    at = POSTED + timedelta(seconds=number)
    message = {
        "text": SAID[number],
        "author": {"id": "wm-li", "name": "李雷"},
        "external_id": f"c-{number}",
        "posted_at": at.isoformat(),
        "thread": ["wm-li"],
    }
    body = json.dumps(message, ensure_ascii=False).encode()
    return Raw(key=f"c-{number}", body=body, media_type=MESSAGE_JSON, received_at=at, thread="wm-li")


def expected() -> Complaint:
    """What `derive` makes of the whole, in the order in which it was said."""
    heard = [
        Heard(message=read_messages(raw(number).body)[0], received_at=raw(number).received_at) for number in range(5)
    ]
    conversation = Conversation(reference="", opened_at=heard[0].received_at, messages=tuple(heard))
    return derive(conversation, Facts(channel="chat", connector="chat-kind"))


async def arrive(office: Office, groups: Sequence[Sequence[int]], pause: float) -> ComplaintFile:
    for group in groups:
        await office.deposit("chat", *(raw(number) for number in group))
        await office.settle(pause)
    await office.settle(200)
    (file,) = await office.complaints()
    return file


def differs(record: Complaint) -> object:
    """In anything but its ids, and when it was heard of first."""
    whole = expected()
    told = {name: pair for name, pair in changes(whole, record).items() if name != "received_at"}
    reasons = {name: (why, record.provenance.get(name)) for name, why in whole.provenance.items()}
    return told or {name: pair for name, pair in reasons.items() if pair[0] != pair[1]}


@pytest.mark.parametrize("arrival", ARRIVALS)
async def test_one_burst_is_one_record_however_it_arrives(office: Office, arrival: str) -> None:
    file = await arrive(office, ARRIVALS[arrival], pause=2)

    assert [event.sequence for event in file.events] == [1]
    assert differs(file.record) == {}
    assert file.record.entities == expected().entities


@pytest.mark.parametrize("arrival", ["one by one", "in pages", "pages newest first"])
async def test_what_follows_later_makes_the_same_record_in_the_end(office: Office, arrival: str) -> None:
    file = await arrive(office, ARRIVALS[arrival], pause=300)

    assert len(file.events) > 1
    assert differs(file.record) == {}
    assert file.record.entities == expected().entities
