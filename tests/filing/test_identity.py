"""One customer is known on every channel where an identifier matches, and nobody is taken for somebody else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allears.filing.identity import Seal, country, email, identity_of, name, order, phone
from allears_sdk.complaint import Complaint, Contact, Entities


def record(**facts: Any) -> Complaint:
    given: dict[str, Any] = {
        "id": "ALE-7K3M-Q9TX-4RWD",
        "title": "屏幕碎了",
        "nature": "complaint",
        "received_at": datetime(2026, 3, 1, tzinfo=UTC),
        "channel": "kefu",
        "connector": "wechat_kf",
    }
    return Complaint(**{**given, **facts})


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("13800138000", "CN", "phone:+8613800138000"),
        ("138 0013 8000", "CN", "phone:+8613800138000"),
        ("+86 138-0013-8000", "US", "phone:+8613800138000"),
        ("8613800138000", "CN", "phone:+8613800138000"),
        ("１３８００１３８０００", "CN", "phone:+8613800138000"),
        ("010-62345678", "CN", "phone:+861062345678"),
        ("(202) 555-0143", "US", "phone:+12025550143"),
        ("0912 345 678", "TW", "phone:+886912345678"),
        ("9123 4567", "HK", "phone:+85291234567"),
        ("138****8000", "CN", ""),
        ("400-820-8820", "CN", ""),
        ("12315", "CN", ""),
        ("95588", "CN", ""),
        ("wm-li", "CN", ""),
        ("", "CN", ""),
    ],
)
def test_phones_are_one_number_each_in_their_channels_country(text: str, region: str, expected: str) -> None:
    assert phone(text, region) == expected


@given(st.text(max_size=40), st.sampled_from(["CN", "US", "GB", "XX"]))
def test_no_text_is_too_strange_for_a_phone(text: str, region: str) -> None:
    found = phone(text, region)
    assert not found or found.startswith("phone:+")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Li.Lei+shop@gmail.com", "email:lilei@gmail.com"),
        ("LI@Mail.Example.CN", "email:li@mail.example.cn"),
        ("no-reply@example.com", ""),
        ("kefu@example.com", ""),
        ("not an address", ""),
    ],
)
def test_mailboxes(text: str, expected: str) -> None:
    assert email(text, own=("kefu@example.com",)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#2026-0301-8899", "order:202603018899"),
        ("sf1234567890123", "order:SF1234567890123"),
        ("1024", ""),
        ("SN-BLUE-LARGE", ""),
    ],
)
def test_orders_are_long_enough_to_be_one_only(text: str, expected: str) -> None:
    assert order(text) == expected


def test_names_that_many_have_are_nobodys() -> None:
    assert name("handle:telegram", "@Li_Lei") == "handle:telegram:li_lei"
    assert name("handle:forum", "匿名用户") == name("handle:forum", "Anonymous") == name("handle:forum", "li") == ""


def test_the_same_customer_on_three_channels_shares_an_identifier() -> None:
    mail = record(customer_id="li@example.cn", contact=Contact(email="li@example.cn", phone="138 0013 8000"))
    chat = record(customer_id="wm-x1", contact=Contact(phone="+8613800138000", wechat="Lilei_88"))
    form = record(channel="form", contact=Contact(wechat="lilei_88"))
    one, two, three = (set(identity_of(each, "CN").customer) for each in (mail, chat, form))
    assert one & two == {"phone:+8613800138000"}
    assert two & three == {"wechat:lilei_88"}
    assert not one & three


def test_ids_are_the_channels_own() -> None:
    one = identity_of(record(customer_id="42", channel="shop-a"), "CN")
    two = identity_of(record(customer_id="42", channel="shop-b"), "CN")
    assert one.customer and two.customer and not set(one.customer) & set(two.customer)


def test_a_mail_address_is_no_account_and_our_own_is_nobodys() -> None:
    found = identity_of(record(customer_id="form@example.com", contact=Contact()), "CN", own=("form@example.com",))
    assert found.customer == ()


def test_orders_the_customer_names_and_those_the_source_hints_at() -> None:
    entities = Entities(order=("2026030188991",), product=("XK1234567890",))
    found = identity_of(record(entities=entities, product_or_order="XK1234567890, 4200001234202603"), "CN")
    assert found.orders == ("order:2026030188991", "order:4200001234202603")


def test_the_country_of_a_phone() -> None:
    assert country(("email:a@b.cn", "phone:+8613800138000")) == "CN"
    assert country(("phone:+85291234567",)) == "HK"
    assert country(("email:a@b.cn",)) == ""


def test_what_the_journal_keeps_says_nothing_without_the_key() -> None:
    seal, other = Seal(b"k" * 32), Seal(b"x" * 32)
    assert seal("phone:+8613800138000") == Seal(b"k" * 32)("phone:+8613800138000")
    assert seal("phone:+8613800138000") != other("phone:+8613800138000")
    assert all(-(2**63) <= one < 2**63 for one in seal.all(f"order:{number}" for number in range(1000)))
