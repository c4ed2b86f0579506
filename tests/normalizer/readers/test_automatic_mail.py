"""Machines' mail is recognised by header and shape; a customer's is not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from allears_sdk.message import RFC822, Raw
from allears_sdk.reference import reference, seed
from normalizer import readers
from normalizer.readers.rfc822 import read_mail


def reason(head: str, body: str = "text") -> str:
    message = read_mail(f"{head}\n\n{body}".encode())
    assert message.is_automatic == bool(message.automatic_reason)
    return message.automatic_reason


@pytest.mark.parametrize(
    ("head", "sign"),
    [
        ("From: a@b.example\nAuto-Submitted: auto-replied", "Auto-Submitted: auto-replied"),
        ("From: a@b.example\nAuto-Submitted: auto-generated; x=y", "Auto-Submitted"),
        ("From: a@b.example\nX-Autoreply: yes", "Autoreply"),
        ("From: notifications@b.example\nX-Auto-Response-Suppress: OOF, AutoReply", "Suppress"),
        ("From: a@b.example\nPrecedence: bulk", "Precedence: bulk"),
        ("From: a@b.example\nPrecedence: auto_reply", "Precedence"),
        ("From: a@b.example\nList-Id: <news.shop.example>", "list mail (List-Id)"),
        ("From: a@b.example\nList-Unsubscribe: <mailto:u@shop.example>", "list mail"),
        ("From: a@b.example\nReturn-Path: <>", "Return-Path: <>"),
        ("From: a@b.example\nX-Allears: 1", "our own"),
        ("From: MAILER-DAEMON@b.example\nSubject: hello", "mailer-daemon"),
        ("From: postmaster@b.example", "postmaster"),
        ("From: no-reply@b.example", "no-reply"),
        ("From: notifications-noreply@b.example", "noreply"),
        ("From: a@b.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=x", "report"),
        ("From: a@b.example\nContent-Type: multipart/report; report-type=disposition-notification", "report"),
        ("From: a@b.example\nContent-Type: text/calendar; method=REPLY", "calendar"),
    ],
)
def test_signs_in_the_header(head: str, sign: str) -> None:
    assert sign in reason(head)


@pytest.mark.parametrize(
    "subject",
    [
        "自动回复: 关于订单", "自动答复：您好", "自動回覆: 訂單", "自動返信: お問い合わせ",
        "Automatic reply: your order", "Out of Office: back Monday", "Out of office", "Auto-Reply: x",
        "Automatische Antwort: Bestellung", "Abwesenheitsnotiz: x", "Réponse automatique : commande",
        "Respuesta automática: pedido", "Risposta automatica: ordine", "Automatisch antwoord: x",
        "Autosvar: x", "Автоответ: x", "Undeliverable: x", "Undelivered Mail Returned to Sender",
        "Mail delivery failed: returning message to sender", "Delivery Status Notification (Failure)",
        "failure notice", "系统退信", "退信：x", "邮件投递失败", "已读回执",
    ],
)  # fmt: skip
def test_signs_in_the_subject(subject: str) -> None:
    assert reason(f"From: a@b.example\nSubject: {subject}")


@pytest.mark.parametrize(
    "head",
    [
        "From: zhang@qq.example\nSubject: 手机坏了",
        "From: a@b.example\nSubject: Re: Automatic reply: your order",
        "From: a@b.example\nSubject: 回复: 自动回复: 订单",
        "From: a@b.example\nSubject: Out of office chairs again, order 12",
        "From: a@b.example\nSubject: 自动续费没有取消",
        "From: a@b.example\nSubject: Automatic renewal charged twice",
        "From: a@b.example\nSubject: 退信用卡年费",
        "From: a@b.example\nSubject: Returned my order, no refund",
        "From: a@b.example\nSubject: Delivery failed to arrive",
        "From: a@b.example\nSubject: Delivery delayed again",
        "From: a@b.example\nSubject: Undeliverable parcel 1Z999",
        "From: a@b.example\nSubject: 未送达：订单 123",
        "From: a@b.example\nSubject: Read: I want my money back",
        "From: a@b.example\nAuto-Submitted: no",
        "From: a@b.example\nPrecedence: normal",
        "From: a@b.example\nReturn-Path: <a@b.example>\nX-Loop: x",
        "From: noreply@shop.example\nReply-To: Jane <jane@x.example>\nSubject: contact form",
        "From: norah@b.example",
        "From: a@b.example\nContent-Type: text/calendar; method=REQUEST",
    ],
)
def test_a_person_is_not_a_machine(head: str) -> None:
    assert reason(head) == ""


def test_of_a_bounce_the_returned_mail_is_attached_and_the_report_for_machines_is_not() -> None:
    message = read_mail(
        b"From: Mail Delivery System <MAILER-DAEMON@mx.example>\nSubject: Undelivered Mail Returned to Sender\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=B\n\n"
        b"--B\nContent-Type: text/plain\n\nI could not deliver your mail.\n"
        b"--B\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\nAction: failed\n"
        b"--B\nContent-Type: message/rfc822\n\nFrom: us@shop.example\nSubject: Your case\n\nhello\n--B--\n"
    )
    assert message.text == "I could not deliver your mail."
    assert message.is_automatic
    assert message.original is None
    assert [file.media_type for file in message.attachments] == ["message/rfc822"]


def authored() -> list[tuple[str, str, bytes]]:
    """(kind, what it is, mail) of each case in automatic_mails.txt."""
    text = Path(__file__).with_name("automatic_mails.txt").read_text(encoding="utf-8")
    cases = []
    for block in text.replace("@REFERENCE@", reference(seed("case"))).split("== ")[1:]:
        title, _, mail = block.partition("\n")
        kind, _, name = title.partition(": ")
        cases.append((kind, name, mail.encode()))
    return cases


@pytest.mark.parametrize(("kind", "name", "mail"), authored(), ids=[f"{kind} {name}" for kind, name, _ in authored()])
def test_authored_mails(kind: str, name: str, mail: bytes) -> None:
    found = read_mail(mail)
    assert found.is_automatic == (kind == "auto"), f"{name}: {found.automatic_reason}"
    assert not found.is_automatic or found.original is None


def test_there_are_enough_of_both_kinds() -> None:
    kinds = [kind for kind, _, _ in authored()]
    assert min(kinds.count("auto"), kinds.count("person")) >= 40


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_behind_a_form_stands_its_customer(line_break: str) -> None:
    head = ["From: Shop <no-reply@shop.example>", "To: support@shop.example", "Reply-To: Jane <jane@x.example>"]
    message = read_mail(line_break.join([*head, "Subject: form", "", "It broke."]).encode())
    assert message.author.email == "no-reply@shop.example"
    assert message.original is not None
    assert (message.original.author.id, message.original.author.name) == ("jane@x.example", "Jane")
    assert message.original.text == message.text


@pytest.mark.parametrize("hostile", ["<" * 5000, "[" * 300, "自动" * 400, "re: " * 2000, "我" * 9000, "I am on " * 900])
def test_hostile_text_costs_little(hostile: str) -> None:
    for mail in (f"Subject: {hostile}\n\nx", f"Subject: x\n\n{hostile}", f"List-Id: {hostile}\n\nx"):
        read_mail(mail.encode())


MAILS = Path(__file__).parents[4] / "shared" / "eval" / "mail"
MACHINES = (
    "empty_in_reply_to", "encoding_madness", "mimepart_without_content_type", "multi_address_bounce1",
    "multi_address_bounce2", "multipart_report_multiple_status", "report_422", "report_530", "raw_email_trailing_dot",
    "m0009", "m0015", "multipart-wo-boundary", "empty-ctype-bad-content",
)  # fmt: skip
ADVERTISING = (
    "bad_date_header", "bad_subject", "cant_parse_from", "bad_date_header2", "content_transfer_encoding", "m0020",
    "text_with_content_id", "attachment_inline1",
)  # fmt: skip
"""Newsletters and spam without a sign that is a machine's alone: either answer is right."""


@pytest.mark.skipif(not MAILS.is_dir(), reason="the labelled mails (../shared/eval/mail) are not here")
def test_labelled_mails() -> None:
    """Of 385 real mails the machines' are known, and no person's is taken for one."""
    judged = {path.stem: read_mail(path.read_bytes()).is_automatic for path in MAILS.glob("*/*.eml")}
    found = {name for name, is_automatic in judged.items() if is_automatic}
    missed = [name for name in judged if any(one in name for one in MACHINES) and name not in found]
    wrong = [name for name in found if not any(one in name for one in (*MACHINES, *ADVERTISING))]
    assert (missed, wrong) == ([], [])


@pytest.mark.parametrize(("mail_from", "is_automatic"), [("<>", True), ("zhang@example.cn", False), ("", False)])
def test_an_empty_envelope_sender_counts_where_we_took_the_mail_ourselves(mail_from: str, is_automatic: bool) -> None:
    body = "From: 张三 <zhang@example.cn>\nSubject: 投诉\n\n水壶坏了，要求退款\n".encode()
    context = {"mail_from": mail_from} if mail_from else {}
    raw = Raw(key="k", body=body, media_type=RFC822, received_at=datetime(2026, 11, 22, tzinfo=UTC), context=context)
    (message,) = readers.read(raw)
    assert message.is_automatic is is_automatic
