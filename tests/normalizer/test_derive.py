"""A conversation in, the record out: exact where the contract is exact."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from allears_sdk.complaint import Complaint, Contact, Entities
from allears_sdk.message import Attachment, Author, Kind, Message, Rating, Role, Visibility
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import changes, derive, deserves_filing, is_greeting

AT = datetime(2024, 6, 1, 8, 0, tzinfo=UTC)
FACTS = Facts(channel="support-mail", connector="email")


def conversation(*messages: Message | str) -> Conversation:
    said = [m if isinstance(m, Message) else Message(text=m) for m in messages]
    heard = tuple(
        Heard(message=named(message, number), received_at=AT + timedelta(minutes=number))
        for number, message in enumerate(said)
    )
    return Conversation(reference="ALE-7K3M-Q9TX-4RWD", opened_at=AT, messages=heard)


def named(message: Message, number: int) -> Message:
    return replace(message, external_id=message.external_id or f"m{number}", revision=message.revision or "1")


def record(*messages: Message | str, facts: Facts = FACTS) -> Complaint:
    return derive(conversation(*messages), facts)


def test_who_gives_a_name_later_in_a_chat_is_known_by_it() -> None:
    lei = Author(id="visitor-1", phone="13800138000")
    complaint = record(
        Message(text="耳机左边没声音了", author=lei),
        Message(text="我也是", author=Author(id="visitor-2", name="韩梅梅", email="han@example.com")),
        Message(text="", author=replace(lei, name="李雷", phone="13900139000")),
        Message(text="还在吗", author=replace(lei, name="雷")),
    )
    assert complaint.contact == Contact(name="李雷", phone="13800138000")
    assert complaint.customer.name == "李雷"
    nobody = [Message(text="坏了"), Message(text="我是李雷", author=Author(name="李雷"))]
    assert record(*nobody).customer.name == "", "of two unknowns nobody can say that they are one"


def test_a_usual_mail_fills_the_template() -> None:
    mail = Message(
        subject="Re: 回复：电饭煲坏了",
        text="你好，上个月买的电饭煲 KX-500 坏了，插上电没反应。\n"
        "订单号 3391026174850263，要求退款 299元。\n电话 13800138000",
        author=Author(id="lin@example.com", name="林静", email="lin@example.com"),
        attachments=(
            Attachment(name="故障.jpg", media_type="image/jpeg", size=1_200, sha256="ab" * 32),
            Attachment(name="logo.png", size=10, inline=True),
        ),
        permalink="https://mail.example/1",
    )
    complaint = record(mail)

    assert complaint.id == "ALE-7K3M-Q9TX-4RWD"
    assert complaint.title == "电饭煲坏了"
    assert (complaint.nature, complaint.category, complaint.priority) == (
        "complaint",
        "product.function_failure",
        "P2",
    )
    assert complaint.expectation == ("refund",)
    assert complaint.customer_id == "lin@example.com"
    assert complaint.contact == Contact(name="林静", email="lin@example.com", phone="13800138000")
    assert (complaint.channel, complaint.connector, complaint.received_at) == ("support-mail", "email", AT)
    assert complaint.product_or_order == "KX-500, 3391026174850263"
    assert complaint.description == mail.text
    assert [(file.name, file.size, file.message) for file in complaint.attachments] == [("故障.jpg", 1_200, "m0")]
    assert complaint.entities == Entities(
        order=("3391026174850263",), product=("KX-500",), phone=("13800138000",), amount=("299元",)
    )
    assert complaint.handler == ""
    assert complaint.language == "zh"
    assert complaint.permalink == "https://mail.example/1"
    assert [said.id for said in complaint.conversation] == ["m0"]


def test_an_english_chat_is_one_complaint() -> None:
    complaint = record(
        "hello", "my headset won't turn on at all", "order A-61744, paid $89.90", "I want a refund please"
    )

    assert (complaint.nature, complaint.category, complaint.expectation, complaint.language) == (
        "complaint",
        "product.function_failure",
        ("refund",),
        "en",
    )
    assert complaint.title == "my headset won't turn on at all"
    assert complaint.entities == Entities(order=("A-61744",), amount=("$89.90",))
    assert complaint.description.splitlines()[1] == "my headset won't turn on at all"


def test_traditional_chinese_is_read_by_the_same_rules() -> None:
    complaint = record("訂單還沒發貨，已經等了三個禮拜，請退款。訂單編號 TW0715-40127")

    assert (complaint.nature, complaint.category, complaint.expectation) == (
        "complaint",
        "logistics.delay",
        ("refund",),
    )
    assert complaint.entities.order == ("TW0715-40127",)
    assert complaint.language == "zh-Hant"


def test_in_a_transcript_only_the_customer_is_heard_but_both_may_name_things() -> None:
    complaint = record(
        "客服：您好，您是要退款对吗\n客户：不是，我的洗衣机坏了，不转了\n"
        "客服：订单号299552844163297对吗\n客户：对，请派人修好"
    )

    assert complaint.category == "product.function_failure"
    assert complaint.expectation == ("repair",)
    assert complaint.entities.order == ("299552844163297",)
    assert "您好" not in complaint.description


@pytest.mark.parametrize(
    ("text", "expectation"),
    [
        ("不是要退款，客服态度太差，我要一个说法", ("explanation",)),
        ("The agent was rude. I'm not asking for a refund, I want an apology", ("apology",)),
        ("空调坏了，要么给我修好要么退钱", ("refund", "repair")),
    ],
)
def test_what_is_negated_is_not_wanted(text: str, expectation: tuple[str, ...]) -> None:
    assert record(text).expectation == expectation


@pytest.mark.parametrize("text", ["", "   ", "🙂🙂", "？", "\x00\x01", "[图片]"])
def test_next_to_nothing_makes_an_honest_record(text: str) -> None:
    complaint = record(text)

    assert (complaint.category, complaint.priority, complaint.entities) == ("", "", Entities())
    assert complaint.nature in ("other", "question")
    assert "nature" in complaint.provenance


def test_no_customer_at_all_is_no_error() -> None:
    company = Message(text="您好，有什么可以帮您", author=Author(role=Role.COMPANY))

    assert record(company).nature == "other"
    assert derive(Conversation(reference="ALE", opened_at=AT, messages=()), FACTS).conversation == ()


def test_emoji_and_full_width_stand_in_the_record_as_they_were_written() -> None:
    complaint = record("少发一件😡 订单号:BX20240711-3306 请补发 电话１３８００１３８０００")

    assert complaint.entities.phone == ("１３８００１３８０００",)
    assert complaint.entities.order == ("BX20240711-3306",)
    assert complaint.expectation == ("reship",)


def test_company_words_are_context_not_grievance() -> None:
    apology = Message(text="非常抱歉给您带来损坏，我们马上退款", author=Author(role=Role.COMPANY))

    complaint = record("请问周末营业吗", apology)

    assert complaint.nature == "question"
    assert complaint.description == "请问周末营业吗"
    assert len(complaint.conversation) == 2


def test_an_edit_replaces_the_words_and_both_versions_stay_in_the_conversation() -> None:
    before = Message(text="很好用，五星", external_id="review-1", revision="1")
    after = Message(text="用了一周就坏了", external_id="review-1", revision="2", kind=Kind.EDITED)

    complaint = record(before, after)

    assert complaint.description == "用了一周就坏了"
    assert complaint.nature == "complaint"
    assert [said.kind for said in complaint.conversation] == ["said", "edited"]


def test_a_withdrawn_message_keeps_its_words_and_is_marked() -> None:
    said = Message(text="快递丢了，要求赔偿", external_id="1")
    withdrawn = Message(text="", external_id="1", revision="2", kind=Kind.WITHDRAWN)

    complaint = record(said, withdrawn)

    assert complaint.description == "快递丢了，要求赔偿"
    assert complaint.tags == ("withdrawn",)


def test_the_author_of_a_forwarded_mail_is_the_customer() -> None:
    original = Message(
        text="The kettle exploded, I want a refund.",
        subject="Kettle",
        author=Author(name="Dana Rowe", email="dana@example.net"),
    )
    forward = Message(
        text="FYI\n\nThe kettle exploded, I want a refund.",
        subject="Fwd: Kettle",
        author=Author(role=Role.COMPANY, email="desk@shop.example"),
        original=original,
    )
    complaint = record(forward)

    assert complaint.contact.email == "dana@example.net"
    assert (complaint.priority, complaint.expectation) == ("P1", ("refund",))


@pytest.mark.parametrize(
    ("rating", "text", "nature"),
    [
        (Rating(value=1), "就这样吧没什么说的", "complaint"),
        (Rating(value=2, best=10, worst=0), "it is what it is", "complaint"),
        (Rating(value=5), "ok as expected", "praise"),
        (Rating(value=4), "Gorgeous rug, but it arrived torn and the seam is ripped.", "complaint"),
        (Rating(value=1), "非常好用，很满意，推荐", "praise"),
        (Rating(value=1), "", "complaint"),
        (Rating(value=1), "。", "complaint"),
        (Rating(value=5), "", "praise"),
    ],
)
def test_a_public_rating_decides_with_the_words(rating: Rating, text: str, nature: str) -> None:
    review = Message(text=text, rating=rating, visibility=Visibility.PUBLIC)

    assert record(review).nature == nature


def test_hints_of_the_source_come_before_what_was_read() -> None:
    complaint = record(Message(text="闪退，用不了", product="记账本 iOS", order="A1"))

    assert complaint.product_or_order == "记账本 iOS, A1"


def test_a_hotline_is_not_how_to_reach_the_customer() -> None:
    complaint = record("打400-818-0000没人接，我的电话 13912340000，后来又打400-818-0000")

    assert complaint.contact == Contact(phone="13912340000")
    assert complaint.entities.phone == ("400-818-0000", "13912340000")


def test_earlier_contacts_and_level_raise_the_priority() -> None:
    ordinary = record("房间有点小，服务态度差")
    known = record("房间有点小，服务态度差", facts=Facts(channel="c", connector="email", customer_level="Platinum"))
    third = record("房间有点小，服务态度差", facts=Facts(channel="c", connector="email", earlier_contacts=2))

    assert ordinary.priority in ("P3", "P4")
    assert (known.priority, third.priority) == ("P2", "P2")


@pytest.mark.parametrize("text", ["你好", "您好，在吗？", "hello", "Hi there!", "在吗在吗", "谢谢", "", "  👋 "])
def test_greetings(text: str) -> None:
    assert is_greeting(text)


@pytest.mark.parametrize("text", ["你好，坏了", "hi my order is late", "退款", "在吗 快递丢了"])
def test_more_than_a_greeting(text: str) -> None:
    assert not is_greeting(text)


@pytest.mark.parametrize(
    ("text", "direct", "public"),
    [
        ("快递丢了，要求赔偿", True, True),
        ("你们周末几点开门？", True, False),
        ("你好", False, False),
        ("Automatic reply: I am out of office", False, False),
        ("非常好用，很满意，推荐大家", False, False),
    ],
)
def test_what_deserves_filing(text: str, direct: bool, public: bool) -> None:
    complaint = record(text)

    assert deserves_filing(complaint, public=False) is direct
    assert deserves_filing(complaint, public=True) is public


def test_a_platforms_notice_hints_at_an_order_an_agents_card_does_not() -> None:
    notice = Message(text="[进入会话] web order=77", order="77", author=Author(role=Role.BOT), is_automatic=True)
    card = Message(text="这款也不错", product="空气炸锅", author=Author(role=Role.COMPANY))
    complaint = record(notice, "漏电了，要求退款", card)
    assert (complaint.product_or_order, complaint.description) == ("77", "漏电了，要求退款")


@pytest.mark.parametrize("text", ["你好", "thanks, great service!", "", "加微信领取免费礼品，日赚千元"])
def test_what_the_platform_calls_a_complaint_is_one_and_is_filed(text: str) -> None:
    complaint = record(Message(text=text, is_complaint=True))
    assert (complaint.nature, complaint.provenance["nature"].source) == ("complaint", "channel")
    assert complaint.priority == "P3"
    assert deserves_filing(complaint, public=False)


def test_a_photo_with_a_greeting_deserves_filing() -> None:
    photo = Attachment(name="photo.jpg", media_type="image/jpeg", size=10)

    assert deserves_filing(record(Message(text="你好", attachments=(photo,))), public=False)


def test_changes_name_the_template_fields_that_differ() -> None:
    before = record("耳机坏了")
    after = record("耳机坏了", "要求退款")

    assert changes(before, before) == {}
    assert changes(before, after)["expectation"] == (("none",), ("refund",))
    assert set(changes(before, after)) <= {"description", "expectation", "priority", "category"}


@pytest.mark.parametrize(
    "text",
    [
        "客服一直自动回复，没有人处理我的退款，要投诉！",
        "快递显示未能送达，可我一直在家，投诉",
        "我休年假期间空调坏了",
        "Undeliverable parcel again, your courier is useless, refund now",
        "All I get is an automatic reply. Where is my refund?",
        "I was out of office when the parcel came; it's broken",
        "Out of office chairs again, order 12. Where are they?",
    ],
)
def test_who_uses_a_machines_word_is_no_machine(text: str) -> None:
    assert record(text).nature != "automatic"


@pytest.mark.parametrize(
    "text",
    [
        "自动回复：您好，您的来信已收到",
        "Automatic reply: I am away until Monday.",
        "您好！我正在休年假，期间无法及时查收邮件，敬请谅解。",
        "系统退信\n抱歉，您的邮件未能送达以下收件人。退信原因：550 User not found",
    ],
)
def test_a_machine_says_what_it_is(text: str) -> None:
    assert record(text).nature == "automatic"
