"""What an admin says about WeChat customer service accounts (微信客服)."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from allears_sdk.settings import FILL_IN
from connectors._wechat.settings import URL_PATTERN, WORK_URL, CallbackSettings


class WechatKfSettings(CallbackSettings):
    """微信客服 accounts of one company, read by an app of 企业微信."""

    example_name: ClassVar[str] = "wechat-kf"

    connector: Literal["wechat_kf"] = Field(default="wechat_kf", description="Which connector listens here.")
    corp_id: str = Field(
        pattern=r"^w[wx][0-9a-zA-Z]{10,30}$", description="CorpID (企业ID).", examples=["ww1234567890abcdef"]
    )
    secret: SecretStr = Field(
        description="Secret of the app that may call the customer service interfaces (可调用接口的应用).",
        examples=["env:WECHAT_KF_SECRET"],
    )
    token: SecretStr = Field(
        default=SecretStr(""),
        description="Token of the app's callback: 3 to 32 letters and digits, the same as in the console. Empty, with "
        "encoding_aes_key: no callbacks, heard by polls alone.",
        examples=["env:WECHAT_KF_TOKEN"],
        json_schema_extra=dict(FILL_IN),
    )
    open_kfids: tuple[str, ...] = Field(
        default=(),
        description="Ids of the accounts to read (open_kfid). Empty: all that the app may manage.",
        examples=[["wkAJ2GCAAAZSfhHCt7IFSvLKtMPxyJTw"]],
    )
    ask_profile: bool = Field(
        default=True, description="Ask for the nickname of whoever writes; a message tells an id alone."
    )
    welcome: str = Field(
        default="",
        max_length=600,
        description="Said once to who enters the chat, where callbacks come: the platform allows it within 20 seconds, "
        "and 48 hours after the last. Empty: nothing.",
        examples=["您好！请说明订单号和遇到的问题，可附照片。"],
    )
    url: str = Field(
        default=WORK_URL, pattern=URL_PATTERN, description="Address of the API; another where a proxy stands before it."
    )

    @field_validator("token")
    @classmethod
    def _is_token(cls, token: SecretStr) -> SecretStr:
        return CallbackSettings._is_token(token) if token.get_secret_value() else token

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if bool(self.token.get_secret_value()) != bool(self.encoding_aes_key):
            raise ValueError("token and encoding_aes_key go together: 企业微信 always encrypts")
        return self
