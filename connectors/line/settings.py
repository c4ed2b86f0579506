"""What an admin says about a LINE official account."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.settings import ChannelSettings

_URL = r"^https://[^\s@?#/]+$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$"


class LineSettings(ChannelSettings):
    example_name: ClassVar[str] = "support-line"

    connector: Literal["line"] = Field(default="line", description="Which connector listens here.")
    channel_secret: SecretStr = Field(
        description="Channel secret, from Basic settings in LINE's developers console: it signs all that LINE pushes.",
        examples=["env:LINE_CHANNEL_SECRET"],
        min_length=1,
    )
    channel_id: str = Field(
        default="",
        pattern=r"^\d{0,20}$",
        description="Channel ID, from the same page: short-lived access tokens are got with it as they are needed.",
        examples=["1656789012"],
    )
    access_token: SecretStr | None = Field(
        default=None,
        description="A long-lived channel access token, instead of channel_id. Without either of them messages are "
        "heard, but files, names and answers are not.",
    )
    staff: frozenset[str] = Field(
        default=frozenset(),
        description="Your own people, by LINE user id (U and 32 characters): what they say in a group is context.",
    )
    ask_profile: bool = Field(default=True, description="Ask for the names of those who write.")
    reply_seconds: float = Field(
        default=50,
        ge=0,
        le=1200,
        description="An answer is free for so long after the message; later ones are pushes, which LINE counts.",
    )
    push_answers: bool = Field(
        default=True, description="Push an answer that comes later. False: it is then not sent at all."
    )
    url: str = Field(default="https://api.line.me", pattern=_URL, description="Where the Messaging API is.")
    content_url: str = Field(
        default="https://api-data.line.me", pattern=_URL, description="Where LINE hands out what customers send."
    )
    timeout_seconds: float = Field(default=20, ge=1, le=300, description="How long one call may take.")

    @model_validator(mode="after")
    def _has_one_token(self) -> LineSettings:
        if self.channel_id and self.access_token is not None:
            raise ValueError("channel_id and access_token are two ways to the same: set one of them")
        return self
