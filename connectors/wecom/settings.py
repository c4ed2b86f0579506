"""What an admin says about a self-built app of 企业微信."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.settings import FILL_IN
from connectors._wechat.passive import PassiveReplySettings
from connectors._wechat.settings import URL_PATTERN, WORK_URL, CallbackSettings


class WecomSettings(CallbackSettings):
    """企业微信: an app to which staff write what customers complained of."""

    example_name: ClassVar[str] = "wecom-app"

    connector: Literal["wecom"] = Field(default="wecom", description="Which connector listens here.")
    corp_id: str = Field(
        pattern=r"^w[wx][0-9a-zA-Z]{10,30}$", description="CorpID (企业ID).", examples=["ww1234567890abcdef"]
    )
    agent_id: int = Field(ge=1, description="AgentId of the app.", examples=[1000002])
    secret: SecretStr | None = Field(
        default=None,
        description="Secret of the app. Without it messages are heard, but files, names and answers cannot be had.",
        examples=["env:WECOM_SECRET"],
        json_schema_extra=dict(FILL_IN),
    )
    ask_profile: bool = Field(
        default=True, description="With `secret`: ask for the name of whoever writes; a message tells a user id alone."
    )
    passive_reply: PassiveReplySettings | None = Field(
        default=None,
        description="Tell whoever opens a conversation its reference, in the answer to the message itself. Unset: "
        "nobody is told.",
        examples=[{"enabled": True}],
    )
    url: str = Field(
        default=WORK_URL, pattern=URL_PATTERN, description="Address of the API; another where a proxy stands before it."
    )

    @model_validator(mode="after")
    def _agree(self) -> WecomSettings:
        if self.encoding_aes_key is None:
            raise ValueError("encoding_aes_key is missing: 企业微信 always encrypts")
        if self.acknowledges and self.secret is None:
            raise ValueError("acknowledge needs secret")
        if self.acknowledges and self.passive_reply is not None and self.passive_reply.enabled:
            raise ValueError("passive_reply or acknowledge: with both, people are told twice")
        return self

    @property
    def app_secret(self) -> str:
        return self.secret.get_secret_value() if self.secret else ""
