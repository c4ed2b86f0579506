"""What holds for every text."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from allears_sdk.complaint import Complaint
from allears_sdk.message import Author, Kind, Message, Role
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive

AT = datetime(2024, 6, 1, tzinfo=UTC)
FACTS = Facts(channel="shop", connector="form")
PHRASES = st.sampled_from(
    [
        "坏了",
        "不是要退款",
        "请退款",
        "订单号 3391026174850263917",
        "电话 138 0013 8000",
        "王经理",
        "但是",
        "客服：您好\n客户：坏了\n客户：退钱",
        "not asking for a refund",
        "order #2375",
        "it won't turn on",
        "On Mon, May 20, A <a@b.example> wrote:\n> hi",
        "微信：chen_2203",
        "1Z91W0680472335517",
        "￥12.50",
        "Thanks, Lorna",
        "--\nBest\nTom Reed",
        "ＡＢＣ１２３",
        "🙂",
        "İ",
    ]
)
TEXTS = st.one_of(st.text(max_size=300), st.lists(PHRASES, max_size=12).map(" ".join), st.lists(PHRASES).map("\n".join))
MESSAGES = st.builds(
    Message,
    text=TEXTS,
    subject=st.one_of(st.just(""), st.text(max_size=40), PHRASES),
    external_id=st.sampled_from(["a", "b", "c"]),
    kind=st.sampled_from(Kind),
    author=st.builds(Author, role=st.sampled_from(Role), name=st.sampled_from(["", "林静"])),
)


def conversation(messages: list[Message]) -> Conversation:
    heard = tuple(Heard(message=message, received_at=AT) for message in messages)
    return Conversation(reference="ALE-0000-0000-0000", opened_at=AT, messages=heard)


def one(text: str) -> Complaint:
    return derive(conversation([Message(text=text, external_id="a")]), FACTS)


@given(st.lists(MESSAGES, max_size=4))
def test_any_conversation_gives_the_same_record_twice(messages: list[Message]) -> None:
    assert derive(conversation(messages), FACTS) == derive(conversation(messages), FACTS)


@given(st.lists(MESSAGES, max_size=4))
def test_evidence_stands_where_it_says(messages: list[Message]) -> None:
    texts = {message.external_id: set[str]() for message in messages}
    for message in messages:
        texts[message.external_id].add(message.text)
    for provenance in derive(conversation(messages), FACTS).provenance.values():
        for evidence in provenance.evidence:
            if evidence.start >= 0:
                assert any(text[evidence.start : evidence.end] == evidence.words for text in texts[evidence.message])


@given(st.lists(MESSAGES, max_size=4))
def test_every_filled_field_explains_itself(messages: list[Message]) -> None:
    record = derive(conversation(messages), FACTS)
    derived = ("title", "nature", "category", "priority", "expectation", "description", "language", "product_or_order")
    for name in (name for name in derived if getattr(record, name)):
        assert name in record.provenance, name
    for kind in (kind for kind in record.entities.__dataclass_fields__ if getattr(record.entities, kind)):
        assert record.provenance[f"entities.{kind}"].evidence


@given(st.sampled_from(["今天天气不错。", "I live in Leeds.", "我住在三楼。", "Have a nice day.", "麻烦了！"]))
def test_an_unrelated_sentence_changes_no_order_number(sentence: str) -> None:
    complaint = "订单号 3391026174850263917 坏了，请退款。"

    for text in (complaint + sentence, sentence + complaint, f"{sentence}\n{complaint}"):
        assert one(text).entities.order == ("3391026174850263917",)


def test_a_long_text_says_that_rules_read_only_its_beginning() -> None:
    assert one("坏了。" * 20_000).provenance["description"].source == "channel:first 20000 characters"
