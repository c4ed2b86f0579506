"""What an admin says about a mini-program."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from connectors._wechat.settings import AppSettings


class WechatMiniSettings(AppSettings):
    """微信小程序: 客服消息 and 交易评价 of one mini-program."""

    example_name: ClassVar[str] = "wechat-mini"

    connector: Literal["wechat_mini"] = Field(default="wechat_mini", description="Which connector listens here.")
    reviews: Literal["off", "bad", "unsettled", "all"] = Field(
        default="off",
        description='Transaction reviews (交易评价) to read too: of 1 or 2 stars ("bad"), bad ones not yet settled '
        '("unsettled"), or "all". Changed ones are always read. Needs `app_secret`.',
    )

    @model_validator(mode="after")
    def _agree(self) -> WechatMiniSettings:
        if self.reviews != "off" and self.app_secret is None:
            raise ValueError("reviews needs app_secret")
        return self
