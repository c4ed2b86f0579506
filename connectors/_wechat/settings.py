"""What an admin says about a callback address: the same fields in every console of the family."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from allears_sdk.settings import FILL_IN, ChannelSettings
from connectors._wechat.crypto import Envelope, key_of

OFFICIAL_URL = "https://api.weixin.qq.com"
WORK_URL = "https://qyapi.weixin.qq.com"
URL_PATTERN = r"^https://[^/?#@\s]+$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$"
_TOKEN = re.compile(r"[A-Za-z0-9]{3,32}")


class CallbackSettings(ChannelSettings):
    """Token and key of the callback, as entered in the console."""

    token: SecretStr = Field(
        description="Token of the callback: 3 to 32 letters and digits, the same as in the console.",
        examples=["env:WECHAT_TOKEN"],
    )
    encoding_aes_key: SecretStr | None = Field(
        default=None,
        description="EncodingAESKey of the callback, 43 characters, as in the console.",
        examples=["env:WECHAT_AES_KEY"],
        json_schema_extra=dict(FILL_IN),
    )
    replay_window_seconds: int = Field(
        default=600,
        ge=60,
        le=86_400,
        description="How far the signed time of a request may lie from our clock, either way.",
    )
    timeout_seconds: float = Field(default=20, ge=1, le=300, description="How long one answer of the API may take.")

    @field_validator("token")
    @classmethod
    def _is_token(cls, token: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("a token has 3 to 32 letters and digits")
        return token

    @field_validator("encoding_aes_key")
    @classmethod
    def _is_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            key_of(key.get_secret_value())
        return key

    @property
    def tolerance(self) -> timedelta:
        return timedelta(seconds=self.replay_window_seconds)

    def envelope(self, receiver: str) -> Envelope | None:
        """Of the app id or corp id that messages are sealed for; none without a key."""
        key = self.encoding_aes_key
        return Envelope(key.get_secret_value(), receiver) if key is not None else None


class AppSettings(CallbackSettings):
    """An app of api.weixin.qq.com: 公众号 or 小程序."""

    app_id: str = Field(pattern=r"^wx[0-9a-f]{16}$", description="AppID.", examples=["wx1234567890abcdef"])
    app_secret: SecretStr | None = Field(
        default=None,
        description="AppSecret. Without it messages are heard, but files, profiles and answers cannot be had.",
        examples=["env:WECHAT_APP_SECRET"],
        json_schema_extra=dict(FILL_IN),
    )
    mode: Literal["secure", "compatible", "plain"] = Field(
        default="secure",
        description='How the console says that messages are sent (安全, 兼容, 明文). Only "plain" takes what is not '
        "encrypted; of compatible messages the encrypted part counts.",
    )
    hand_over: bool = Field(
        default=False,
        description="Answer so that WeChat shows each message to its own customer service tool too "
        "(transfer_customer_service).",
    )
    url: str = Field(
        default=OFFICIAL_URL,
        pattern=URL_PATTERN,
        description="Address of the API; another where a proxy stands before it.",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.mode != "plain" and self.encoding_aes_key is None:
            raise ValueError(f'mode "{self.mode}" needs encoding_aes_key')
        if self.acknowledges and self.app_secret is None:
            raise ValueError("acknowledge needs app_secret")
        return self

    @property
    def secret(self) -> str:
        return self.app_secret.get_secret_value() if self.app_secret else ""
