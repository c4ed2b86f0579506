"""What the company knows already: its customers and its products, each from a CSV file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from allears_sdk.settings import Settings

VIP_LEVELS = ("vip", "platinum", "diamond", "black", "黑钻", "钻石", "白金", "至尊")
_USUAL = "Empty: found by its usual names."


class CustomersSection(Settings):
    """Who complains: levels from a file, and how complaints of one customer are linked."""

    file: Path | None = Field(
        default=None,
        description="CSV file with a heading, UTF-8 or GB18030, relative to this file. Read at start and on SIGHUP.",
        examples=["customers.csv"],
    )
    id_column: str = Field(default="", description=f"The company's own number. {_USUAL}", examples=["会员号"])
    level_column: str = Field(default="", description=f"The customer's level. {_USUAL}", examples=["等级"])
    region_column: str = Field(default="", description=f"Where the customer is. {_USUAL}", examples=["省份"])
    phone_columns: tuple[str, ...] = Field(
        default=(), description=f"Phone numbers. {_USUAL}", examples=[["手机", "固话"]]
    )
    email_columns: tuple[str, ...] = Field(default=(), description=f"Mail addresses. {_USUAL}", examples=[["邮箱"]])
    wechat_columns: tuple[str, ...] = Field(default=(), description=f"WeChat ids. {_USUAL}", examples=[["微信号"]])
    account_columns: tuple[str, ...] = Field(
        default=(),
        description=f"Ids under which channels know the customer (an openid, a user number, a handle). {_USUAL}",
        examples=[["openid"]],
    )
    region: str = Field(
        default="CN", pattern="^[A-Z]{2}$", description="ISO 3166 country of phone numbers without a country code."
    )
    vip_levels: tuple[str, ...] = Field(
        default=VIP_LEVELS, description="Levels, or words in them, that make a complaint P2 at least."
    )
    linked_days: int = Field(
        default=90,
        ge=0,
        le=3650,
        description="Open complaints of one customer or order are linked when they are this close together; 0: never. "
        "A customer's third is P2 at least.",
    )


class CatalogueSection(Settings):
    """What complaints are about: product lines from a file."""

    file: Path | None = Field(
        default=None,
        description="CSV file with a heading, UTF-8 or GB18030, relative to this file. Read at start and on SIGHUP.",
        examples=["catalogue.csv"],
    )
    line_column: str = Field(default="", description=f"The product line. {_USUAL}", examples=["产品线"])
    name_columns: tuple[str, ...] = Field(
        default=(), description=f"What a product is called: name, model, SKU. {_USUAL}", examples=[["型号", "名称"]]
    )
