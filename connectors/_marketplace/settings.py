"""What an admin says about a shop on a marketplace."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints, field_validator

from allears_sdk.settings import FILL_IN, ChannelSettings

Url = Annotated[str, StringConstraints(pattern=r"^https://[^/?#@]+(/[^?#]*)?$|^http://(localhost|127\.0\.0\.1)(:\d+)?")]
PLAIN_REASONS = ("7天无理由", "七天无理由", "不想要", "不喜欢", "多拍", "拍错", "拍多")


class ShopSettings(ChannelSettings):
    """The application and the seller's grant to it."""

    shop: str = Field(
        min_length=1,
        max_length=64,
        description="The shop, as the platform names it: another one here is another shop, read from its beginning.",
        examples=["示例旗舰店"],
    )
    app_secret: SecretStr = Field(description="The application's secret.", examples=["env:SHOP_APP_SECRET"])
    access_token: SecretStr | None = Field(
        default=None,
        description="The seller's access token, where the console shows one. Empty: `allears channels login NAME`.",
        json_schema_extra=dict(FILL_IN),
    )
    redirect_url: str = Field(
        default="",
        description="The call-back address (回调地址) registered at the application, for logging in.",
        examples=["https://hooks.example.com/granted"],
    )
    plain_reasons: tuple[str, ...] = Field(
        default=PLAIN_REASONS,
        description="After-sales whose reason holds one of these are no complaint, unless the customer's words are: "
        "kept and counted, not filed. Empty: all are filed.",
    )
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")

    @field_validator("app_secret", "access_token")
    @classmethod
    def _is_trimmed(cls, secret: SecretStr | None) -> SecretStr | None:
        """Consoles hand out blanks around it, which break every signature."""
        return SecretStr(secret.get_secret_value().strip()) if secret is not None else None

    def effective_look_back(self, usual: timedelta) -> timedelta:
        return usual if self.look_back is None else self.look_back
