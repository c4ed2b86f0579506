"""What an admin says about an application on Feishu or Lark."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.settings import FILL_IN, ChannelSettings

REPLAY_SECONDS = 28_800.0
"""Feishu sends an event again for 7 hours, and does not say whether it signs it anew ("Event overview"). What is sent
again within the window is known by its message id, so a long one costs nothing."""


class FeishuSettings(ChannelSettings):
    """An application with a bot. Customers write to the bot, or name it in a group."""

    example_name: ClassVar[str] = "support-feishu"

    connector: Literal["feishu"] = Field(default="feishu", description="Which connector listens here.")
    app_id: str = Field(
        pattern=r"^cli_[A-Za-z0-9_]+$", description="App ID, from the console.", examples=["cli_a1b2c3d4e5f6a7b8"]
    )
    app_secret: SecretStr = Field(description="App Secret that belongs to it.", examples=["env:FEISHU_APP_SECRET"])
    url: str = Field(
        default="https://open.feishu.cn",
        pattern=r"^https://[^\s@?#/]+$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$",
        description='The open platform; "https://open.larksuite.com" for Lark.',
        examples=["https://open.larksuite.com"],
    )
    mode: Literal["websocket", "webhook"] = Field(
        default="websocket",
        description="How messages come: over a connection that we open (no public address needed), or posted to us.",
    )
    verification_token: SecretStr | None = Field(
        default=None,
        description="Verification Token of the event subscription; webhook mode needs it.",
        examples=["env:FEISHU_TOKEN"],
    )
    encrypt_key: SecretStr | None = Field(
        default=None,
        description="Encrypt Key of the event subscription: events are then signed and encrypted, and plain ones are "
        "refused. Strongly advised in webhook mode.",
        examples=["env:FEISHU_ENCRYPT_KEY"],
    )
    replay_window_seconds: float = Field(
        default=REPLAY_SECONDS, ge=60, le=604_800, description="How old a signed request may be."
    )
    groups: Literal["all", "mentions", "none"] = Field(
        default="all",
        description='Of groups: all that the app\'s permissions let through, only what names the bot ("mentions", with '
        "`bot_open_id`), or nothing.",
    )
    bot_open_id: str = Field(
        default="",
        pattern=r"^$|^ou_[A-Za-z0-9_]+$",
        description="The bot's open_id; `allears check` tells it.",
        json_schema_extra=dict(FILL_IN),
    )
    staff_tenant: str = Field(
        default="",
        description="Tenant key of your own organisation: its members are company, not customers. Empty: everybody who "
        "writes is a customer (a help desk for your own people, shops that report).",
    )
    staff: frozenset[str] = Field(
        default=frozenset(),
        description="People who answer for the company, by open_id, union_id or user_id: what they write is context.",
        examples=[["ou_84aad35d084aa403a838cf73ee18467"]],
    )
    ask_profile: bool = Field(default=True, description="Ask for the names of those who write (a contact permission).")
    sweep_hours: float = Field(
        default=24,
        ge=0,
        le=720,
        description="How often all chats are read back although the connection stood; 0: only after it was away. "
        "Each sweep costs a call per chat.",
    )
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")

    @model_validator(mode="after")
    def _agree(self) -> FeishuSettings:
        if self.mode == "webhook" and not self.verification_token:
            raise ValueError("webhook mode needs the verification_token")
        if self.groups == "mentions" and not self.bot_open_id:
            raise ValueError('groups = "mentions" needs the bot_open_id; `allears check` tells it')
        return self

    @property
    def is_chinese(self) -> bool:
        """Whether what stands for a picture or a place is written in Chinese."""
        return "larksuite" not in self.url
