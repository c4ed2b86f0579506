"""What counts as asking for something, by rules alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from allears_sdk.message import Message
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive

AT = datetime(2024, 6, 1, tzinfo=UTC)


def wanted(text: str) -> tuple[str, ...]:
    """Of a complaint: a grievance stands before what is asked."""
    heard = (Heard(message=Message(text=text, external_id="1"), received_at=AT),)
    conversation = Conversation(reference="ALE", opened_at=AT, messages=heard)
    return derive(conversation, Facts(channel="c", connector="form"), model=lambda: None).expectation


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The app is broken again. Is the server down tonight?", ("explanation",)),
        ("My bag never arrived, any idea when it lands?", ("explanation",)),
        ("Terrible service, why no answer for a week?", ("explanation",)),
        ("Parcel lost and I don't know what to do next", ("action",)),
        ("Screen keeps freezing, terrible. Is there a fix for this?", ("action",)),
        ("This machine is broken. When are you going to fix it?", ("action",)),
        ("Awful hold music for an hour, how can I reach a person?", ("action",)),
        ("That driver was rude and should be fired", ("action",)),
        ("You cancelled my flight and never offered me anything", ("compensation",)),
        ("Stranded overnight, can we at least get a hotel?", ("compensation",)),
        ("Worst flight ever, I will be calling today for a refund", ("refund",)),
        ("The courier lost my blender, I need a replacement", ("reship",)),
        ("屏幕第三天就坏了，能换货吗", ("exchange",)),
        ("坏了一个月，什么时候退钱", ("refund",)),
    ],
)
def test_asked_for(text: str, expected: tuple[str, ...]) -> None:
    assert wanted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "An hour on hold, terrible. Thanks for the help!",
        "Awful airline, nobody could help me!",
        "Terrible airline, how are you even still in business?",
        "续航太差了，要不是懒得折腾不然就退货了",
        "前台太差劲，不提醒客人什么时候退房",
        "隔音很差，我们要求换房间，被告知满了",
    ],
)
def test_nothing_asked_for(text: str) -> None:
    assert wanted(text) == ("none",)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("充电宝插着插着就炸了，桌布都烧穿", "P1"),
        ("高压锅炸了，幸好没人在厨房", "P1"),
        ("鸡排炸了半个小时还没好，太慢了", "P3"),
        ("薯条炸了太久，又黑又苦，难吃", "P3"),
        ("等了两小时，我快炸了，差评", "P3"),
    ],
)
def test_what_was_fried_is_no_danger(text: str, level: str) -> None:
    heard = (Heard(message=Message(text=text, external_id="1"), received_at=AT),)
    conversation = Conversation(reference="ALE", opened_at=AT, messages=heard)
    assert derive(conversation, Facts(channel="c", connector="form"), model=lambda: None).priority == level
