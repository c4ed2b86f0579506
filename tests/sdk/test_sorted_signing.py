"""Signatures over sorted parameters: the platforms' own samples, and vectors computed twice."""

from __future__ import annotations

import pytest

from allears_sdk.sorted_signing import joined, sign_hmac, sign_md5

TOP = {
    "app_key": "12345678",
    "fields": "tid,oid,content,created",
    "format": "json",
    "method": "taobao.traderates.get",
    "page_no": "1",
    "rate_type": "get",
    "role": "buyer",
    "session": "sess001",
    "timestamp": "2026-01-01 08:00:00",
    "v": "2.0",
}


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("md5", "3791FC5AD67622843309DFCFED6C5A1E"),
        ("hmac", "328619252D2FC158DEE2AEDBA08192F4"),
        ("hmac-sha256", "AC22C7CC9D1C3BB671D21FDFDE002929D5C4FBF2A4BDF229A4DFE292B6E317BC"),
    ],
)
def test_taobao(method: str, expected: str) -> None:
    given = TOP | {"sign_method": method}
    if method == "md5":
        assert sign_md5("topSecret", given) == expected
    else:
        assert sign_hmac("topSecret", given, "sha256" if method.endswith("256") else "md5") == expected


def test_taobao_message_service() -> None:
    given = {"timestamp": "1767225600000", "group_name": "default", "app_key": "12345678"}
    assert sign_md5("topSecret", given) == "6C59E35BDE0AF24BD0A900781BE6498B"


def test_jd_gateway_of_old_official_sample() -> None:
    asked = (
        '{"end_date":null,"optional_fields":null,"order_state":"WAIT_SELLER_STOCK_OUT","page":"1",'
        '"page_size":"200","start_date":null}'
    )
    given = {
        "v": "2.0",
        "method": "jingdong.pop.order.search",
        "app_key": "yourappkey",
        "access_token": "yourtoken",
        "360buy_param_json": asked,
        "timestamp": "2021-05-07 09:20:39.683+0800",
    }
    assert joined(given).startswith('360buy_param_json{"end_date"')
    assert sign_md5("yourappSecret", given) == "D70825340F4084360B9362B60DFD7930"


def test_jd_gateway_of_today() -> None:
    given = {"X-JOS-App-Key": "app-key", "X-JOS-Timestamp": "1711111111000", "page": "1"}
    assert sign_md5("secret", given) == "A166567AB4DC2A06E824EB5029E1B2B8"


def test_pinduoduo_official_sample() -> None:
    given = {
        "type": "pdd.order.number.list.get",
        "client_id": "1",
        "access_token": "asd78172s8ds9a921j9qqwda12312w1w21211",
        "timestamp": "1480411125",
        "data_type": "XML",
        "order_status": "1",
        "page": "1",
        "page_size": "10",
    }
    assert sign_md5("testSecret", given) == "E4DE3ED21002510DED352819E7AE6775"


def test_pinduoduos_list_of_cases() -> None:
    given = {
        "type": "pdd.refund.list.increment.get",
        "client_id": "pddcid",
        "access_token": "tok001",
        "timestamp": "1767225600",
        "data_type": "JSON",
        "after_sales_status": "2",
        "after_sales_type": "1",
        "start_updated_at": "1767223800",
        "end_updated_at": "1767225600",
        "page": "1",
        "page_size": "100",
    }
    assert sign_md5("pddSecret", given) == "7448CA2A3996FAEF4699733A5A9A4502"


def test_what_is_empty_is_not_signed_and_any_script_is() -> None:
    assert joined({"b": "退款", "a": "", "A": "1"}) == "A1b退款"
    assert sign_md5("s", {"b": "退款", "a": ""}) == sign_md5("s", {"b": "退款"})
