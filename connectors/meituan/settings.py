"""What an admin says about shops on 美团外卖."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, StringConstraints

from allears_sdk.settings import ChannelSettings

Poi = Annotated[str, StringConstraints(pattern=r"^[^\s/&=?]{1,64}$")]


class MeituanSettings(ChannelSettings):
    """Shops that are bound to one application of 美团外卖开放平台."""

    example_name: ClassVar[str] = "meituan"

    connector: Literal["meituan"] = Field(default="meituan", description="Which connector listens here.")
    app_id: str = Field(pattern=r"^\d{1,20}$", description="The application's app_id.", examples=["9999"])
    app_secret: SecretStr = Field(description="The application's secret.", examples=["env:MEITUAN_APP_SECRET"])
    shops: dict[Poi, str] = Field(
        min_length=1,
        description="The app_poi_code of each shop, and the name by which the record is to call it.",
        examples=[{"S001": "示例餐厅（人民路店）"}],
    )
    reply_statuses: tuple[Literal[-1, 0, 1], ...] = Field(
        default=(0, 1),
        min_length=1,
        max_length=3,
        description="Meituan lists comments by whether they were answered: 0 no, 1 yes (or all: its documents differ). "
        "Both are asked for, and together hold all.",
    )
    timestamp_unit: Literal["s", "ms"] = Field(
        default="s", description="What calls are dated in: seconds as documented, or milliseconds."
    )
    interval_seconds: float = Field(
        default=7200, ge=600, le=86_400, description="Time between polls: Meituan tells of a day once it is over."
    )
    sweep_hours: float = Field(
        default=24, ge=1, le=720, description="How often the last 29 days are looked through for what customers added."
    )
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")
    url: str = Field(
        default="https://waimaiopen.meituan.com",
        pattern=r"^https://[^/?#@]+$|^http://(localhost|127\.0\.0\.1)(:\d+)?$",
        description="Address of the API; another where a proxy stands before it. It is part of what is signed.",
    )

    def name_of(self, poi: str) -> str:
        return self.shops.get(poi, "") or poi
