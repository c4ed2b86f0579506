"""What an admin can say about a Telegram bot."""

from __future__ import annotations

import re
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from allears_sdk.settings import ChannelSettings

MIN_SECRET = 16
_TOKEN = re.compile(r"\d{1,20}:[A-Za-z0-9_-]{3,200}")
_SECRET = re.compile(rf"[A-Za-z0-9_-]{{{MIN_SECRET},256}}")


class TelegramSettings(ChannelSettings):
    example_name: ClassVar[str] = "shop-bot"

    connector: Literal["telegram"] = Field(default="telegram", description="Which connector listens here.")
    token: SecretStr = Field(
        description="The bot's token as @BotFather shows it: number, colon, letters.", examples=["env:TELEGRAM_TOKEN"]
    )
    staff: tuple[str, ...] = Field(
        default=(),
        description="Your own people, by user id or @username: what they say in a group is context, what they forward "
        "is the customer's.",
        examples=[["@lina_support", "555000111"]],
    )
    groups: tuple[int, ...] = Field(
        default=(),
        description="Ids of groups and channels that are heard, private chats always are. Empty: all the bot is in.",
    )
    webhook_url: str = Field(
        default="",
        pattern=r"^$|^https?://[^\s?#]+$",
        description="Have Telegram push instead of being asked: this channel's public address, as Telegram reaches it.",
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description=f"Proves that a push comes from Telegram: {MIN_SECRET} to 256 letters, digits, _ and -. "
        "Needed with webhook_url.",
    )
    interval_seconds: float = Field(
        default=1, ge=1, le=86_400, description="Pause between two questions; each waits at Telegram for poll_seconds."
    )
    poll_seconds: int = Field(
        default=50, ge=0, le=50, description="How long a question waits at Telegram for something to be said."
    )
    url: str = Field(
        default="https://api.telegram.org",
        pattern=r"^https?://[^\s?#]+[^\s?#/]$",
        description="Where the Bot API is; another one only with a Bot API server of your own.",
    )
    max_file_bytes: int = Field(
        default=20_000_000,
        ge=0,
        description="Files above this are not asked for: Telegram hands out no larger ones, a server of your own may.",
    )

    @field_validator("token")
    @classmethod
    def _is_token(cls, token: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("a bot's token is its number, a colon and letters, as @BotFather shows it")
        return token

    @field_validator("webhook_secret")
    @classmethod
    def _is_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not _SECRET.fullmatch(secret.get_secret_value()):
            raise ValueError(f"a webhook secret is {MIN_SECRET} to 256 letters, digits, _ and -")
        return secret

    @model_validator(mode="after")
    def _has_both(self) -> TelegramSettings:
        if bool(self.webhook_url) != (self.webhook_secret is not None):
            raise ValueError("webhook_url and webhook_secret belong together: set both, or neither")
        return self

    @property
    def bot_id(self) -> str:
        return self.token.get_secret_value().partition(":")[0]

    @property
    def stream(self) -> str:
        """Holds all that an offset depends on: a bot keeps its queue when its token is renewed."""
        return f"telegram://{self.bot_id}@{urlsplit(self.url).netloc.lower()}"
