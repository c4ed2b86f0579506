"""What an admin says about an Official Account."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from connectors._wechat.passive import PassiveReplySettings
from connectors._wechat.settings import AppSettings


class WechatOaSettings(AppSettings):
    """微信公众号: a 服务号 or 订阅号 that pushes messages to us."""

    example_name: ClassVar[str] = "wechat-account"

    connector: Literal["wechat_oa"] = Field(default="wechat_oa", description="Which connector listens here.")
    ask_profile: bool = Field(
        default=False,
        description="Ask WeChat for the remark (备注名) that staff gave a follower; nicknames are no longer told.",
    )
    passive_reply: PassiveReplySettings | None = Field(
        default=None,
        description="Tell whoever opens a conversation its reference, in the answer to the message itself: at once, "
        "without app_secret, of no quota. Unset: nobody is told.",
        examples=[{"enabled": True}],
    )

    @model_validator(mode="after")
    def _agree(self) -> WechatOaSettings:
        told = self.passive_reply is not None and self.passive_reply.enabled
        if told and self.acknowledges:
            raise ValueError("passive_reply or acknowledge: with both, customers are told twice")
        if told and self.hand_over:
            raise ValueError("passive_reply or hand_over: a message has one answer")
        if self.ask_profile and self.app_secret is None:
            raise ValueError("ask_profile needs app_secret")
        return self
