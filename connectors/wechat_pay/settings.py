"""What an admin says about a merchant at WeChat Pay."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from allears_sdk.settings import FILL_IN, ChannelSettings
from connectors.wechat_pay.crypto import load_private_key, load_public_key

API_V3_KEY_BYTES = 32


class WechatPaySettings(ChannelSettings):
    """A merchant whose complaints are read."""

    example_name: ClassVar[str] = "wechat-pay"

    connector: Literal["wechat_pay"] = Field(default="wechat_pay", description="Which connector listens here.")
    mchid: str = Field(pattern=r"^\d{6,32}$", description="Merchant number (商户号).", examples=["1900000001"])
    serial_no: str = Field(
        pattern=r"^[0-9A-Fa-f]{16,64}$",
        description="Serial number of the merchant's API certificate (商户API证书序列号).",
        examples=["1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C"],
    )
    private_key: SecretStr = Field(
        description="The certificate's private key, apiclient_key.pem.",
        examples=["file:/etc/allears/apiclient_key.pem"],
    )
    api_v3_key: SecretStr = Field(
        description="APIv3 key (APIv3密钥), 32 characters.", examples=["env:WECHAT_PAY_API_V3_KEY"]
    )
    public_key_id: str = Field(
        default="",
        pattern=r"^$|^PUB_KEY_ID_\w+$",
        description="Id of the WeChat Pay public key (微信支付公钥ID), with `public_key`. Empty: platform "
        "certificates, which are downloaded.",
        examples=["PUB_KEY_ID_0119000000012025010100000000000000"],
        json_schema_extra=dict(FILL_IN),
    )
    public_key: SecretStr | None = Field(
        default=None,
        description="The WeChat Pay public key, pub_key.pem.",
        examples=["file:/etc/allears/wechatpay_pub_key.pem"],
        json_schema_extra=dict(FILL_IN),
    )
    complainted_mchid: str = Field(
        default="",
        pattern=r"^$|^\d{6,32}$",
        description="Service providers: read the complaints about this merchant alone. Empty: all.",
    )
    notification_url: str = Field(
        default="",
        pattern=r"^$|^https://[^\s?#]+$",
        description="This channel's public address: it is registered at WeChat Pay, in place of any other, and "
        "complaints are heard at once. Empty: what is registered stays as it is.",
        examples=["https://hooks.example.com/in/wechat-pay"],
    )
    recheck_minutes: float = Field(
        default=15,
        ge=1,
        le=1440,
        description="How often the complaints of the last 30 days and all that are still open are looked through for "
        "news; notifications tell of it at once.",
    )
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")
    url: str = Field(
        default="https://api.mch.weixin.qq.com",
        pattern=r"^https://[^/?#@]+$|^http://(localhost|127\.0\.0\.1)(:\d+)?$",
        description="Address of WeChat Pay; https://api2.mch.weixin.qq.com is its second one.",
    )

    @field_validator("api_v3_key")
    @classmethod
    def _is_key(cls, key: SecretStr) -> SecretStr:
        if len(key.get_secret_value().encode()) != API_V3_KEY_BYTES:
            raise ValueError(f"an APIv3 key has {API_V3_KEY_BYTES} characters")
        return key

    @field_validator("private_key")
    @classmethod
    def _is_private_key(cls, key: SecretStr) -> SecretStr:
        load_private_key(key.get_secret_value())
        return key

    @model_validator(mode="after")
    def _agree(self) -> WechatPaySettings:
        if bool(self.public_key_id) != bool(self.public_key):
            raise ValueError("public_key_id and public_key go together")
        if self.public_key is not None:
            load_public_key(self.public_key.get_secret_value())
        return self
