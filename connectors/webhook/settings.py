"""What an admin can say about a channel of this kind."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from allears_sdk.settings import ChannelSettings


class WebhookSettings(ChannelSettings):
    connector: Literal["webhook"] = Field(
        default="webhook",
        description="Which connector listens here.",
    )
    secret: SecretStr = Field(
        description="What the platform signs its requests with; it shows it beside the callback address.",
        examples=["env:WEBHOOK_SECRET"],
    )
