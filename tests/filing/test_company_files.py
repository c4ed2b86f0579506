"""The company's CSV files: read as people write them, or refused with what is wrong and where."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from allears.filing.customers import Profile, read_customers
from allears.filing.products import Catalogue, read_products
from allears.filing.sheets import SheetError
from allears.settings.knowledge import CatalogueSection, CustomersSection
from allears_sdk.complaint import Complaint

CUSTOMERS = """会员号,姓名,等级,手机,邮箱,微信号,openid,省份
M001,李雷,VIP,138 0013 8000,lilei@example.cn,lilei_88,oX1-abc,广东
M002,韩梅梅,普通,13900139000;010-62345678,,,,北京
M003,Amy,gold,+1 202 555 0143,Amy.Wong@gmail.com,,,US
"""
CATALOGUE = """型号,名称,产品线
WH-1000XM5,降噪耳机,音频
Pro,专业版,软件
RC-40,四升电饭煲,厨电
"""


def customers(tmp_path: Path, text: str | bytes = CUSTOMERS, **settings: Any) -> CustomersSection:
    path = tmp_path / "customers.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return CustomersSection(file=path, **settings)


def catalogue(tmp_path: Path, text: str = CATALOGUE, **settings: Any) -> Catalogue:
    path = tmp_path / "catalogue.csv"
    path.write_text(text, encoding="utf-8")
    return Catalogue(read_products(CatalogueSection(file=path, **settings)))


def about(product: str = "", title: str = "", text: str = "") -> Complaint:
    return Complaint(
        id="ALE-7K3M-Q9TX-4RWD", title=title, nature="complaint", received_at=datetime(2026, 3, 1, tzinfo=UTC),
        product_or_order=product, description=text,
    )  # fmt: skip


@pytest.mark.parametrize(
    "identifier",
    ["phone:+8613800138000", "email:lilei@example.cn", "wechat:lilei_88", "account:kefu:oX1-abc", "handle:x:ox1-abc"],
)
def test_a_customer_is_found_by_every_identifier(tmp_path: Path, identifier: str) -> None:
    found = read_customers(customers(tmp_path))
    assert len(found) == 3
    assert found.find(["phone:+8610000000000", identifier]) == Profile("VIP", "广东", "M001")


def test_several_phones_in_one_cell_and_foreign_ones(tmp_path: Path) -> None:
    found = read_customers(customers(tmp_path))
    assert found.find(["phone:+861062345678"]) == Profile("普通", "北京", "M002")
    assert (
        found.find(["email:amywong@gmail.com"]) == found.find(["phone:+12025550143"]) == Profile("gold", "US", "M003")
    )
    assert found.find(["phone:+8613700137000"]) is None
    assert found.find([]) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_files_as_spreadsheets_save_them(tmp_path: Path, encoding: str, delimiter: str) -> None:
    text = "手机,等级\r\n13800138000,钻石\r\n\r\n13900139000\r\n".replace(",", delimiter)
    found = read_customers(customers(tmp_path, text.encode(encoding)))
    assert found.find(["phone:+8613800138000"]) == Profile("钻石", "", "")
    assert found.find(["phone:+8613900139000"]) == Profile("", "", "")


def test_columns_of_unusual_names_are_named(tmp_path: Path) -> None:
    text = "谁,哪级,打给谁\nM9,三星,13800138000\n"
    section = customers(tmp_path, text, id_column="谁", level_column="哪级", phone_columns=("打给谁",))
    assert read_customers(section).find(["phone:+8613800138000"]) == Profile("三星", "", "M9")


def test_of_two_rows_with_one_phone_the_first_counts(tmp_path: Path) -> None:
    text = "手机,等级\n13800138000,VIP\n13800138000,普通\n"
    found = read_customers(customers(tmp_path, text)).find(["phone:+8613800138000"])
    assert found and found.level == "VIP"


@pytest.mark.parametrize(
    ("text", "settings", "reason"),
    [
        ("", {}, "is empty"),
        ("姓名,等级\n李雷,VIP\n", {}, "has no column for phones, mails, WeChat ids or accounts; it has: 姓名, 等级"),
        ("手机,姓名\n13800138000,李雷\n", {}, "has no column for level, region or id"),
        ("手机,等级\n", {"level_column": "grade"}, 'has no column "grade"'),
        ('手机,等级\n13800138000,"VIP\n13900139000,普通\n', {}, "line 3"),
        ("手机,等级\n".encode("utf-16"), {}, "neither UTF-8 nor GB18030"),
    ],
)
def test_a_broken_file_is_refused_whole(
    tmp_path: Path, text: str | bytes, settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(SheetError) as caught:
        read_customers(customers(tmp_path, text, **settings))
    assert reason in str(caught.value)
    assert str(tmp_path) in caught.value.say("zh")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SheetError, match="cannot be read: No such file"):
        read_customers(CustomersSection(file=tmp_path / "none.csv"))


@pytest.mark.parametrize(
    ("complaint", "expected"),
    [
        (about(product="WH-1000XM5"), ("音频", "WH-1000XM5")),
        (about(text="我的 wh1000xm5 左耳没声音"), ("音频", "wh1000xm5")),
        (about(text="The WH 1000XM5 broke"), ("音频", "WH 1000XM5")),
        (about(title="四升電飯煲壞了"), ("厨电", "四升電飯煲")),
        (about(product="RC-40", text="比 WH-1000XM5 差远了"), ("厨电", "RC-40")),
        (about(text="A professional problem with prose"), ("", "")),
        (about(text="I bought the Pro, and it fails"), ("软件", "Pro")),
        (about(text="快递没到"), ("", "")),
        (about(text="bad \udc80 bytes RC-40"), ("厨电", "RC-40")),
    ],
)
def test_the_line_of_the_product_that_is_named(tmp_path: Path, complaint: Complaint, expected: tuple[str, str]) -> None:
    assert catalogue(tmp_path).find(complaint) == expected


def test_catalogues_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(SheetError, match="no column for the product line"):
        catalogue(tmp_path, "型号,名称\nRC-40,电饭煲\n")
    with pytest.raises(SheetError, match="no column for product names"):
        catalogue(tmp_path, "产品线,价格\n厨电,1\n")
    assert catalogue(tmp_path, "sku,产品线\n").find(about(product="RC-40")) == ("", "")


def test_a_hundred_thousand_customers_are_cheap(tmp_path: Path) -> None:
    """As bytes, since time is the machine's."""
    lines = [f"M{at:06d},{'VIP' if at % 50 == 0 else '普通'},138{at:08d},u{at}@example.cn" for at in range(100_000)]
    found = read_customers(customers(tmp_path, "会员号,等级,手机,邮箱\n" + "\n".join(lines)))
    assert found.find(["email:u99950@example.cn"]) == Profile("VIP", "", "M099950")
    assert len(pickle.dumps(found)) < 8 << 20
