"""What comes from the channel's own address: answers of the company, forms, and rules that lead round."""

from __future__ import annotations

import pytest

from allears_sdk.message import Role
from normalizer.own_mail import placed
from normalizer.readers.rfc822 import read_mail

OWN = ("support@shop.cn",)


def mail(head: str, body: str = "您好") -> bytes:
    return f"{head}\n\n{body}".encode()


@pytest.mark.parametrize(
    "head",
    [
        "From: 客服 <support@shop.cn>\nTo: li@qq.com\nSubject: Re: 屏幕碎了",
        "From: Support@Shop.cn\nTo: amy@example.com\nCc: support@shop.cn\nSubject: Re: broken",
    ],
)
def test_an_answer_to_somebody_outside_is_the_companys(head: str) -> None:
    message = placed(read_mail(mail(head)), OWN)
    assert message.author.role is Role.COMPANY
    assert not message.is_automatic


@pytest.mark.parametrize(
    "head",
    [
        "From: support@shop.cn\nTo: support@shop.cn\nSubject: 网站留言",
        "From: support@shop.cn\nTo: support@shop.cn\nCc: boss@shop.cn\nSubject: 网站留言",
        "From: support@shop.cn\nTo: support@shop.cn\nReply-To: li@qq.com\nSubject: 网站留言",
        "From: li@qq.com\nTo: support@shop.cn\nSubject: 屏幕碎了",
        "From: other@shop.cn\nTo: li@qq.com\nCc: support@shop.cn\nSubject: Re: 屏幕碎了",
    ],
)
def test_what_it_mails_to_itself_speaks_for_a_customer(head: str) -> None:
    message = placed(read_mail(mail(head)), OWN)
    assert message.author.role is Role.CUSTOMER
    assert not message.is_automatic


FORWARDED = (
    "---------- Forwarded message ---------\nFrom: {} <{}>\nDate: Mon, Nov 17, 2025\nSubject: 屏幕碎了\n\n要求退款"
)


def test_a_forward_by_hand_speaks_for_its_author() -> None:
    head = "From: support@shop.cn\nTo: support@shop.cn\nSubject: Fwd: 屏幕碎了"
    message = placed(read_mail(mail(head, FORWARDED.format("Li", "li@qq.com"))), OWN)
    assert message.original is not None
    assert message.original.author.email == "li@qq.com"


@pytest.mark.parametrize("subject", ["Fwd: Fwd: Fwd: 屏幕碎了", "转发: 转发：转发: 屏幕碎了", "FW: FW: FW: FW: broken"])
def test_a_rule_that_leads_round_ends(subject: str) -> None:
    head = f"From: support@shop.cn\nTo: support@shop.cn\nSubject: {subject}"
    message = placed(read_mail(mail(head, FORWARDED.format("Li", "li@qq.com"))), OWN)
    assert message.is_automatic
    assert "leads back" in message.automatic_reason


def test_without_known_addresses_nothing_changes() -> None:
    message = read_mail(mail("From: support@shop.cn\nTo: li@qq.com\nSubject: Re: x"))
    assert placed(message, ()) is message
