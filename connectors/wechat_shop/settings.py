"""What an admin says about a WeChat shop."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from allears_sdk.settings import FILL_IN
from connectors._marketplace.settings import PLAIN_REASONS
from connectors._wechat.settings import OFFICIAL_URL, URL_PATTERN, CallbackSettings

REASONS = (*PLAIN_REASONS, "协商一致")


class WechatShopSettings(CallbackSettings):
    """微信小店 (视频号小店): after-sales orders and disputes of one shop."""

    example_name: ClassVar[str] = "wechat-shop"

    connector: Literal["wechat_shop"] = Field(default="wechat_shop", description="Which connector listens here.")
    app_id: str = Field(pattern=r"^wx[0-9a-f]{16}$", description="AppID of the shop.", examples=["wx1234567890abcdef"])
    app_secret: SecretStr = Field(description="AppSecret of the shop.", examples=["env:WECHAT_SHOP_SECRET"])
    token: SecretStr = Field(
        default=SecretStr(""),
        description="Token of the callback: 3 to 32 letters and digits, the same as in the console. Empty: no callback "
        "(a shop has one address, and another system may have it); all is heard by polling.",
        examples=["env:WECHAT_SHOP_TOKEN"],
        json_schema_extra=dict(FILL_IN),
    )
    mode: Literal["secure", "compatible", "plain"] = Field(
        default="secure",
        description='How the console says that messages are sent (安全, 兼容, 明文). Only "plain" takes what is not '
        "encrypted; of compatible messages the encrypted part counts.",
    )
    plain_reasons: tuple[str, ...] = Field(
        default=REASONS,
        description="After-sales whose reason holds one of these, or has this number, are no complaint as long as the "
        "customer adds no words and opens no dispute: kept and counted, not filed. Empty: all are filed.",
    )
    recheck_minutes: float = Field(
        default=60,
        ge=5,
        le=1440,
        description="How often orders that are refused or in dispute are looked at for news; the callback tells of it "
        "at once.",
    )
    url: str = Field(
        default=OFFICIAL_URL,
        pattern=URL_PATTERN,
        description="Address of the API; another where a proxy stands before it.",
    )

    @field_validator("token")
    @classmethod
    def _is_token(cls, token: SecretStr) -> SecretStr:
        return super()._is_token(token) if token.get_secret_value() else token

    @model_validator(mode="after")
    def _is_whole(self) -> WechatShopSettings:
        if self.has_callback and self.mode != "plain" and self.encoding_aes_key is None:
            raise ValueError(f'mode "{self.mode}" needs encoding_aes_key')
        return self

    @property
    def has_callback(self) -> bool:
        return bool(self.token.get_secret_value())
