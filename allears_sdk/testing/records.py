"""Complaints and events true to life, in Chinese and English, for tests of sinks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from allears_sdk.complaint import (
    AttachedFile,
    Complaint,
    Contact,
    Entities,
    Event,
    EventKind,
    Evidence,
    Provenance,
    Said,
)
from allears_sdk.message import Role
from allears_sdk.reference import event_id, reference, seed

AT = datetime(2026, 11, 22, 3, 59, 42, tzinfo=UTC)
WORDS = "屏幕碎了😡 申请退款，订单号 2026112200017。The screen cracked on day one – refund please."


def make_complaint(text: str = WORDS, *, who: str = "mail-17") -> Complaint:
    """One complaint; `who` decides its id."""
    said = Said(id=f"<{who}@mail.example.cn>", role=Role.CUSTOMER, author="李雷", at=AT, text=text)
    return Complaint(
        id=reference(seed("testing", who)),
        title=text.splitlines()[0][:40] if text else "",
        nature="complaint",
        customer_id="lilei@mail.example.cn",
        contact=Contact(name="李雷", email="lilei@mail.example.cn", phone="13800138000"),
        channel="support-mail",
        received_at=AT,
        product_or_order="2026112200017",
        category="product.material_defect",
        description=text,
        priority="P2",
        expectation=("refund",),
        attachments=(AttachedFile(name="碎屏 照片.jpg", media_type="image/jpeg", size=48_211, sha256="9f" * 32),),
        connector="email",
        entities=Entities(order=("2026112200017",), phone=("13800138000",)),
        language="zh",
        conversation=(said,),
        provenance={"expectation": Provenance(source="rule:zh.expect.refund", evidence=(_evidence(said.id),))},
    )


def make_event(
    sequence: int = 1, text: str = WORDS, *, who: str = "mail-17", kind: EventKind | None = None, told: int = 1
) -> Event:
    """The `sequence`-th event of one complaint: the first opens it, the others follow up unless `kind` says else. It
    tells of so many messages."""
    record = make_complaint(text, who=who)
    names = [f"{who}/{sequence}" if number == 1 else f"{who}/{sequence}.{number}" for number in range(1, told + 1)]
    at = AT + timedelta(minutes=sequence)
    said = tuple(Said(id=name, role=Role.CUSTOMER, author="李雷", at=at, text=text) for name in names)
    record = replace(record, conversation=said if sequence == 1 else (*record.conversation, *said))
    return Event(
        id=event_id(record.id, *names),
        complaint_id=record.id,
        sequence=sequence,
        kind=kind or (EventKind.OPENED if sequence == 1 else EventKind.FOLLOWED_UP),
        at=at,
        record=record if sequence == 1 else replace(record, priority="P1"),
        messages=tuple(names),
        keys={event_id(record.id, name): name for name in names},
        changes={} if sequence == 1 else {"priority": ("P2", "P1")},
    )


def _evidence(message: str) -> Evidence:
    return Evidence(message=message, words="申请退款", start=7, end=11)
