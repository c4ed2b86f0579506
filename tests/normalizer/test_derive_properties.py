"""What holds for every text."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from allears_sdk.complaint import Complaint
from allears_sdk.message import Author, Kind, Message, Role
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive

at_leisure = settings(deadline=None)
"""The first record reads rules and model."""
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
PHRASED = st.one_of(st.lists(PHRASES, max_size=12).map(" ".join), st.lists(PHRASES, max_size=12).map("\n".join))
TEXTS = st.one_of(st.text(max_size=300), PHRASED)
MESSAGES = st.builds(
    Message,
    text=TEXTS,
    subject=st.one_of(st.just(""), st.text(max_size=40), PHRASES),
    external_id=st.sampled_from(["a", "b", "c"]),
    kind=st.sampled_from(Kind),
    author=st.builds(Author, role=st.sampled_from(Role), name=st.sampled_from(["", "林静"])),
)


ENDS = st.sampled_from(
    [
        "",
        "--\nBest\nTom Reed",
        "此致\n王静",
        "On Mon, May 20, A <a@b.example> wrote:\n> hi",
        "发自我的iPhone",
        "Sent from my iPhone",
    ]
)
MATTERS = st.sampled_from(
    [
        "订单号{order}，收到就是坏的，请退款，电话{phone}。",
        "我的订单{order}到现在还没发货，联系电话：{phone}。",
        "电话是{phone}，訂單編號：{order}，貨品損壞，請盡快處理。",
        "Order {order} arrived broken, please call me on {phone}.",
        "My phone number is {phone} and my order number is {order}. I want a refund.",
        "Where is my order {order}? You can reach me at {phone}.",
    ]
)
ORDERS = st.from_regex(r"\A(?:[1-9][0-9]{17,18}|[0-9]{3}-[0-9]{7}-[0-9]{7}|[1-9][0-9]{9})\Z")
PHONES = st.from_regex(r"\A1[3-9][0-9](?:[0-9]{8}|\*{4}[0-9]{4}|-[0-9]{4}-[0-9]{4})\Z")
NUMBERS = st.tuples(ORDERS, PHONES)
UNRELATED = st.sampled_from(
    [
        "今天天气不错。",
        "我住在三楼。",
        "我已经等了15天了！",
        "当时花了￥1,299.00。",
        "一共350元，5月20日14:30付的款。",
        "身份证号110101199003078515。",
        "验证码是482913。",
        "我是你们十年的老客户，王经理可以作证。",
        "發票抬頭寫錯了。",
        "谢谢！",
        "客服一直不回我😡",
        "I live in Leeds.",
        "Have a nice day.",
        "I paid $49.90 on 2024-05-20.",
        "It has been 3 weeks and 2 days.",
        "My neighbour bought two of them in 2023.",
        "The verification code is 482913.",
        "Nobody answers my e-mails!",
        "I gave it 5 out of 5 last year.",
        "See https://shop.example/help/12345678 for that.",
    ]
)
UNUSUAL = st.text(st.characters(), max_size=200)
"""Lone surrogates and control characters too."""


def conversation(messages: list[Message]) -> Conversation:
    heard = tuple(Heard(message=message, received_at=AT) for message in messages)
    return Conversation(reference="ALE-0000-0000-0000", opened_at=AT, messages=heard)


def with_plain_line_ends(text: str) -> str:
    return "\n".join(text.splitlines())


def one(text: str) -> Complaint:
    return derive(conversation([Message(text=text, external_id="a")]), FACTS)


@at_leisure
@given(st.lists(MESSAGES, max_size=4))
def test_any_conversation_gives_the_same_record_twice(messages: list[Message]) -> None:
    assert derive(conversation(messages), FACTS) == derive(conversation(messages), FACTS)


@at_leisure
@given(st.lists(MESSAGES, max_size=4))
def test_evidence_stands_where_it_says(messages: list[Message]) -> None:
    texts = {message.external_id: set[str]() for message in messages}
    for message in messages:
        texts[message.external_id].add(message.text)
    for provenance in derive(conversation(messages), FACTS).provenance.values():
        for evidence in provenance.evidence:
            if evidence.start >= 0:
                assert any(text[evidence.start : evidence.end] == evidence.words for text in texts[evidence.message])


@at_leisure
@given(st.lists(MESSAGES, max_size=4))
def test_every_filled_field_explains_itself(messages: list[Message]) -> None:
    record = derive(conversation(messages), FACTS)
    derived = ("title", "nature", "category", "priority", "expectation", "description", "language", "product_or_order")
    for name in (name for name in derived if getattr(record, name)):
        assert name in record.provenance, name
    for kind in (kind for kind in record.entities.__dataclass_fields__ if getattr(record.entities, kind)):
        assert record.provenance[f"entities.{kind}"].evidence


@at_leisure
@given(st.lists(st.builds(Message, text=UNUSUAL, subject=UNUSUAL, external_id=st.just("a")), max_size=3))
def test_nothing_raises(messages: list[Message]) -> None:
    derive(conversation(messages), FACTS)


@at_leisure
@given(st.lists(PHRASES.filter(lambda phrase: "\n" not in phrase), max_size=12), ENDS)
def test_what_a_record_describes_describes_itself(said: list[str], end: str) -> None:
    """Normalising the normalised changes nothing: quote and signature are gone the first time."""
    text = "\n".join([*said, end])
    once = one(text)

    again = one(once.description)

    assert (again.description, again.title, again.language) == (once.description, once.title, once.language)
    assert (again.nature, again.category, again.expectation) == (once.nature, once.category, once.expectation)


@at_leisure
@given(UNUSUAL.map(with_plain_line_ends))
def test_normalising_anything_again_adds_nothing(text: str) -> None:
    once = one(text).description

    assert len(one(once).description) <= len(once)


@at_leisure
@given(
    MATTERS, NUMBERS, st.lists(UNRELATED, min_size=1, max_size=3), st.sampled_from(["", " ", "\n", "\n\n"]), st.data()
)
def test_unrelated_sentences_change_no_number(
    matter: str, numbers: tuple[str, str], sentences: list[str], joint: str, data: st.DataObject
) -> None:
    order, phone = numbers
    said = matter.format(order=order, phone=phone)
    place = data.draw(st.integers(0, len(sentences)))
    joint = joint or (" " if said.isascii() else "")
    text = joint.join([*sentences[:place], said, *sentences[place:]])

    found = one(text)

    assert (found.entities.order, found.entities.phone) == ((order,), (phone,))
    assert (found.product_or_order, found.contact.phone) == (order, phone)


@at_leisure
@given(MATTERS, NUMBERS, UNRELATED, st.booleans())
def test_an_unrelated_message_changes_no_number(
    matter: str, numbers: tuple[str, str], sentence: str, before: bool
) -> None:
    order, phone = numbers
    texts = [matter.format(order=order, phone=phone), sentence]
    said = enumerate(reversed(texts) if before else texts)
    messages = [Message(text=text, external_id=str(number)) for number, text in said]

    found = derive(conversation(messages), FACTS)

    assert (found.entities.order, found.entities.phone) == ((order,), (phone,))


def test_a_long_text_says_that_rules_read_only_its_beginning() -> None:
    assert one("坏了。" * 20_000).provenance["description"].source == "channel:first 20000 characters"
