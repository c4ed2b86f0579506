"""What an admin can say about a channel of this kind."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from allears_sdk.settings import ChannelSettings


class NewbornSettings(ChannelSettings):
    connector: Literal["newborn"] = Field(
        default="newborn",
        description="Which connector listens here.",
    )
    url: str = Field(pattern=r"^https?://\S+$", description="Address of the API.", examples=["https://api.example.com"])
    token: SecretStr = Field(
        description="API token that may read messages.",
        examples=["env:NEWBORN_TOKEN"],
    )
