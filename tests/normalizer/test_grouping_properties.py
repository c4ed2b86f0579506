"""People press Enter where others write a comma: how a burst is cut into messages changes nothing but ids."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allears_sdk.complaint import Complaint
from allears_sdk.message import Author, Message
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import changes, derive

at_leisure = settings(deadline=None)
"""The first record reads rules and model."""
AT = datetime(2024, 6, 1, tzinfo=UTC)
CHAT = [
    "你好",
    "在吗",
    "我买的空气炸锅坏了",
    "插上电不加热",
    "订单号3384756201948857231",
    "订单",
    "电话13812348000",
    "我的微信：chen_2203",
    "快递单号SF1234567890123",
    "花了359元",
    "不是要退款",
    "但是客服王经理态度很差",
    "打了三次电话都没人接",
    "能不能换一个新的？",
    "耳機左邊冇聲",
    "退錢！！",
    "hello",
    "anyone there?",
    "my kettle stopped working after two days",
    "order #114-3941689-8772232",
    "I was charged twice, $49.90",
    "not asking for a refund",
    "but nobody answers my e-mails",
    "please call me on 020 7946 0991",
    "I want my money back",
    "it's been 3 weeks",
    "thanks",
    "😡",
]


def talk(texts: Sequence[str]) -> Complaint:
    heard = [
        Heard(message=Message(text=text, external_id=f"m{number}", author=Author(id="wm-li")), received_at=AT)
        for number, text in enumerate(texts)
    ]
    conversation = Conversation(reference="ALE-0000-0000-0000", opened_at=AT, messages=tuple(heard))
    return derive(conversation, Facts(channel="shop", connector="wechat_kf"))


def told(record: Complaint) -> dict[str, Any]:
    """What a record says and why, without the ids of messages and the places in them."""
    reasons = {
        field: (why.source, why.score, [evidence.words for evidence in why.evidence])
        for field, why in record.provenance.items()
    }
    return {
        "title": record.title,
        "language": record.language,
        "entities": record.entities,
        "customer": record.customer,
        "reasons": reasons,
    }


@st.composite
def bursts(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Lines, and the same lines in fewer messages."""
    lines = draw(st.lists(st.sampled_from(CHAT), min_size=1, max_size=8, unique=True))
    ends = draw(st.sets(st.integers(1, len(lines) - 1))) if len(lines) > 1 else set()
    cuts = [0, *sorted(ends), len(lines)]
    return lines, ["\n".join(lines[start:end]) for start, end in pairwise(cuts)]


@at_leisure
@given(bursts())
def test_one_burst_in_one_message_or_in_many_is_one_record(burst: tuple[list[str], list[str]]) -> None:
    lines, grouped = burst

    one, many = talk(grouped), talk(lines)

    assert changes(one, many) == {}
    assert told(one) == told(many)


@pytest.mark.parametrize("lines", [CHAT[:16], CHAT[16:]], ids=["zh", "en"])
def test_a_whole_conversation_at_once_line_by_line_and_in_halves(lines: list[str]) -> None:
    half = len(lines) // 2
    records = [talk(texts) for texts in (lines, ["\n".join(lines)], ["\n".join(lines[:half]), "\n".join(lines[half:])])]

    assert [told(record) for record in records] == [told(records[0])] * 3
    assert records[0].entities.order
    assert records[0].entities.phone


@at_leisure
@given(bursts())
def test_evidence_names_the_message_in_which_the_words_stand(burst: tuple[list[str], list[str]]) -> None:
    for texts in burst:
        for why in talk(texts).provenance.values():
            for words in why.evidence:
                assert texts[int(words.message.removeprefix("m"))][words.start : words.end] == words.words
