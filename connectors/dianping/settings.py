"""What an admin says about shops on 大众点评."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, StringConstraints, model_validator

from allears_sdk.settings import FILL_IN, ChannelSettings

Uuid = Annotated[str, StringConstraints(pattern=r"^[\w-]{1,64}$")]


class DianpingSettings(ChannelSettings):
    """Shops whose owner has granted 评价 (ugc) to one application of 北极星."""

    example_name: ClassVar[str] = "dianping"

    connector: Literal["dianping"] = Field(default="dianping", description="Which connector listens here.")
    app_key: str = Field(pattern=r"^\w{1,64}$", description="The application's app_key.", examples=["3f5d2c1b0a"])
    app_secret: SecretStr = Field(description="The application's secret.", examples=["env:DIANPING_APP_SECRET"])
    session: SecretStr | None = Field(
        default=None,
        description="The owner's session, where another program renews it. Else: `refresh_token`.",
        json_schema_extra=dict(FILL_IN),
    )
    refresh_token: SecretStr | None = Field(
        default=None,
        description="The refresh token that came with the owner's grant; from then on it is renewed and kept here.",
        examples=["env:DIANPING_REFRESH_TOKEN"],
    )
    shops: dict[Uuid, str] = Field(
        min_length=1,
        description="The open_shop_uuid of each shop, and the name by which the record is to call it.",
        examples=[{"6a1b2c3d4e5f": "示例餐厅（人民路店）"}],
    )
    platforms: tuple[Literal["1", "2"], ...] = Field(
        default=("1", "2"), min_length=1, max_length=2, description='"1": 大众点评; "2": 美团. Their reviews are apart.'
    )
    star: str = Field(default="1", pattern=r"^\d{1,2}$", description="The filter by which all stars are given.")
    first_offset: Literal[0, 1] = Field(default=0, description="Whether rows are counted from 0 or from 1.")
    text_field: str = Field(
        default="",
        pattern=r"^\w{0,64}$",
        description="Which field of a row holds the customer's words, should your application be given them. Empty: "
        "there are none, as documented.",
    )
    interval_seconds: float = Field(
        default=600, ge=60, le=86_400, description="Time between polls: two calls or more for each shop."
    )
    sweep_hours: float = Field(
        default=24, ge=1, le=720, description="How often the last `sweep_days` are looked through for changed stars."
    )
    sweep_days: int = Field(default=60, ge=1, le=364, description="How far back that looks.")
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")
    url: str = Field(
        default="https://openapi.dianping.com",
        pattern=r"^https://[^/?#@]+$|^http://(localhost|127\.0\.0\.1)(:\d+)?$",
        description="Address of the API; another where a proxy stands before it.",
    )

    @model_validator(mode="after")
    def _has_grant(self) -> DianpingSettings:
        if (self.session is None) == (self.refresh_token is None):
            raise ValueError("one of session and refresh_token is needed")
        return self

    def name_of(self, shop: str) -> str:
        return self.shops.get(shop, "") or shop
