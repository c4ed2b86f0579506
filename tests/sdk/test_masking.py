from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allears_sdk.codec import encode
from allears_sdk.masking import KINDS, is_hotline, mask_payload, mask_text

ALL = frozenset(KINDS)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("我的手机13800138000，请尽快回电", "我的手机138****8000，请尽快回电"),
        ("电话：138 0013 8000", "电话：138****8000"),
        ("微信同号-13912345678", "微信同号-139****5678"),
        ("+86 138-0013-8000 call me", "+86 138****8000 call me"),
        ("8613800138000", "86138****8000"),
        ("座机010-62345678转808", "座机010-****5678转808"),
        ("(021) 6234 5678", "(021) ****5678"),
        ("Ring +44 20 7946 0958 today", "Ring +44****58 today"),
        ("my cell is (415) 555-2671.", "my cell is (415) ****2671."),
        ("手机１３８００１３８０００", "手机１３８****８０００"),
        ("发到zhang.san+kefu@example.com.cn吧", "发到z***@example.com.cn吧"),
        ("张三@例子.中国", "张***@例子.中国"),
        ("发到 zhang.san@example.com.cn 吧", "发到 z***@example.com.cn 吧"),
        ("mail <Anna.O'Neil@mail.example.org>", "mail <A***@mail.example.org>"),
        ("身份证11010519491231002X", "身份证110***********002X"),
        ("身份证号：440308199901010012", "身份证号：440***********0012"),
        ("卡号 6222 0212 3456 7894", "卡号 6222 **** **** 7894"),
        ("card 4111-1111-1111-1111 charged twice", "card 4111-****-****-1111 charged twice"),
        ("卡号６２２２０２１２３４５６７８９４", "卡号６２２２********７８９４"),
        ("身份证 110105 1949 1231 002X", "身份证 110*** **** **** 002X"),
        ("身份证１１０１０５１９４９１２３１００２Ｘ", "身份证１１０***********００２Ｘ"),
        ("HKID A123456(3), thanks", "HKID A*****6(3), thanks"),
        ("香港身份證 AB987654（3）", "香港身份證 A******4（3）"),
        ("身分證字號 A123456789", "身分證字號 A*******89"),
        ("护照号：E12345678", "护照号：E******78"),
        ("my passport number is 533380006.", "my passport number is 5******06."),
        ("港澳通行证C12345678到期", "港澳通行证C******78到期"),
        ("台胞证件号 05012345", "台胞证件号 05012345"),
        ("手机 138.0013.8000", "手机 138****8000"),
        ("手机\u3000138\u30000013\u30008000", "手机\u3000138****8000"),
        ("加我 1 3 8 0 0 1 3 8 0 0 0", "加我 1 3 8****8 0 0 0"),
        ("＋８６１３８００１３８０００", "＋８６１３８****８０００"),
        ("手機 0912-345-678 找我", "手機 0912-****678 找我"),
        ("call 07700 900123 after six", "call 07700 ****123 after six"),
        ("+852 9123 4567", "+852****67"),
        ("+886 912 345 678", "+886****78"),
        ("邮箱ＺＨＡＮＧ＠ｅｘａｍｐｌｅ．ｃｏｍ", "邮***＠ｅｘａｍｐｌｅ．ｃｏｍ"),
        ("邮箱 lilei＠example.com", "邮箱 l***＠example.com"),
    ],
)
def test_personal_data_is_masked(text: str, masked: str) -> None:
    assert mask_text(text, ALL) == masked


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T04:00:00Z",
        "2026-11-22T12:00:00.123456+08:00",
        "ALE-7K3M-Q9TX-4RWD",
        "ALE-1234-5678-9012-345678",
        "ALE-1380-0138-0001:9f1c03aa52",
        "订单号 202611221380013800012345",
        "运单 SF1380013800012",
        "4111111111111112",  # Luhn does not fit
        "110105194912310021",  # checksum does not fit
        "A123456(4)",  # nor here
        "订单 A123456789 未到",
        "order E12345678 is late",
        "型号 AB1234567",
        "1.2.3.4 和 1 3 8 是尺码",
        "2026.11.22 13:38:00.1380",
        "共 1399.00 元，退 1299.00 元",
        "550e8400-e29b-41d4-a716-446655440000",
        "9b74c9897bac770ffc029102a200c5de9b74c9897bac770ffc02910213800138",
        "屏幕碎了，¥1,299.00，3天没人理",
        "version 10.0.19045.3803",
        "@客服 怎么还不处理",
        "https://shop.example.com/item/13?sku=138001380001",
    ],
)
def test_everything_else_is_left_alone(text: str) -> None:
    assert mask_text(text, ALL) == text


def test_only_the_kinds_asked_for() -> None:
    text = "13800138000 a@example.com"
    assert mask_text(text, {"phone"}) == "138****8000 a@example.com"
    assert mask_text(text, {"email"}) == "13800138000 a***@example.com"
    assert mask_text(text, frozenset()) == text


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="cannot mask iban"):
        mask_text("x", {"iban"})


def test_payload_masks_values_and_keeps_the_rest() -> None:
    value = {
        "id": "ALE-7K3M-Q9TX-4RWD",
        "at": "2026-11-22T04:00:00Z",
        "contact": {"phone": "13800138000", "email": "li@example.cn"},
        "said": [{"text": "打13800138000\n没人接😡"}],
        "size": 13800138000,
        "rating": 1.5,
        "none": None,
    }
    masked = json.loads(mask_payload(encode(value), ALL))
    assert masked["contact"] == {"phone": "138****8000", "email": "l***@example.cn"}
    assert masked["said"] == [{"text": "打138****8000\n没人接😡"}]
    assert {key: masked[key] for key in ("id", "at", "size", "rating", "none")} == {
        key: value[key] for key in ("id", "at", "size", "rating", "none")
    }
    assert list(masked) == list(value)


def test_payload_that_is_no_json_is_masked_as_text_and_binary_refused() -> None:
    assert mask_payload(b"call 13800138000", {"phone"}) == b"call 138****8000"
    with pytest.raises(ValueError, match="utf-8"):
        mask_payload(b"\xff\xfe", {"phone"})
    assert mask_payload(b"\xff\xfe", frozenset()) == b"\xff\xfe"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_any_json_stays_json_of_the_same_shape(value: object) -> None:
    masked = json.loads(mask_payload(json.dumps(value).encode(), ALL))
    assert isinstance(masked, type(value))


@pytest.mark.parametrize(
    "text",
    ["打 12315 投诉", "call 400-820-8820", "(800) 555-0199", "95588", "110", "+86 400-820-8820", "10086", "4008208820"],
)
def test_public_hotlines_are_nobodys(text: str) -> None:
    assert mask_text(text, KINDS) == text


@pytest.mark.parametrize(
    ("number", "public"),
    [
        ("12315", True), ("400 820 8820", True), ("95588", True), ("+86 400-820-8820", True), ("120", True),
        ("13800138000", False), ("415-555-0132", False), ("010-62781234", False), ("1380013", False), ("", False),
    ],
)  # fmt: skip
def test_which_numbers_are_hotlines(number: str, public: bool) -> None:
    assert is_hotline(number) is public
