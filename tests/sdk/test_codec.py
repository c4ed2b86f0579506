from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from allears_sdk.codec import convert, decode, encode, encode_stable, plain
from allears_sdk.complaint import CATEGORIES, Complaint, Event, json_schema
from allears_sdk.message import Attachment, Author, Message, Raw, Ref, Role
from allears_sdk.testing.clock import START
from allears_sdk.testing.records import make_event


@pytest.mark.parametrize("sequence", [1, 2])
def test_an_event_survives_storage(sequence: int) -> None:
    event = make_event(sequence, "屏幕碎了😡\n\u2028第二行 «x»")
    restored = decode(encode(event), Event)
    assert encode(restored) == encode(event)
    assert restored.record == event.record
    assert "😡" in encode(event).decode()
    assert b"\n" not in encode(event)


def test_a_message_survives_storage() -> None:
    message = Message(
        text="退款",
        author=Author(role=Role.CUSTOMER, id="openid-7", name="韩梅梅"),
        posted_at=datetime(2026, 11, 22, 12, 0, tzinfo=timezone(timedelta(hours=8))),
        attachments=(Attachment(name="图.jpg", ref=Ref(locator={"media_id": "m1"}, fetch_before=START)),),
        original=Message(text="forwarded"),
    )
    assert decode(encode(message), Message) == message
    assert convert(plain(message), Message) == message


def test_raw_bytes_survive_storage() -> None:
    raw = Raw(key="k", body=bytes(range(256)), media_type="message/rfc822", received_at=START, context={"行": 1})
    assert decode(encode(raw), Raw) == raw


def test_stable_encoding_ignores_the_order_of_dicts() -> None:
    left: dict[str, Any] = {"b": 1, "a": {"y": "退", "x": None}}
    right: dict[str, Any] = {"a": {"x": None, "y": "退"}, "b": 1}
    assert encode_stable(left) == encode_stable(right)
    assert encode_stable({1, 2, 3}) == encode_stable({3, 2, 1})


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b'{"text": 1}', r"\$\.text"),
        (b"{}", "text"),
        (b'{"text":"x","author":{"role":"boss"}}', r"\$\.author\.role"),
        (b'{"text":"x"', "truncated"),
        (b"\xff", "malformed"),
        (b"", "truncated"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(data: bytes, path: str) -> None:
    with pytest.raises(ValueError, match=path):
        decode(data, Message)


def test_convert_names_the_path_too() -> None:
    with pytest.raises(ValueError, match=r"\$\.text"):
        convert({"text": None}, Message)


def test_schema_labels_the_eleven_fields_in_both_languages() -> None:
    properties = json_schema()["$defs"]["Complaint"]["properties"]
    labels = {name: field["x-label"] for name, field in properties.items() if "x-label" in field}
    assert {label["zh"] for label in labels.values()} == {
        "客户标识",
        "客户联系方式",
        "投诉渠道",
        "投诉时间",
        "涉及产品/订单",
        "问题分类",
        "问题详细描述",
        "紧急程度",
        "客户期望",
        "附件/证据",
        "受理人",
    }
    assert all(label["en"] for label in labels.values())
    assert {field for field in properties if field in Complaint.__dataclass_fields__} == set(properties)
    assert len(set(CATEGORIES)) == len(CATEGORIES)
