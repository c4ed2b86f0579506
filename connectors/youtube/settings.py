"""What an admin says about a YouTube channel."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.oauth import OAuthSettings
from allears_sdk.settings import FILL_IN
from allears_sdk.sweep import SweepSettings


class YoutubeSettings(SweepSettings):
    example_name: ClassVar[str] = "videos"

    connector: Literal["youtube"] = Field(default="youtube", description="Which connector listens here.")
    channel_id: str = Field(
        pattern=r"^UC[\w-]{22}$",
        description="Whose comments: YouTube → Settings → Advanced settings → Channel ID.",
        examples=["UC_x5XG1OV2P6uZZ5FSM9Ttw"],
    )
    api_key: SecretStr | None = Field(
        default=None,
        description="API key of a Google Cloud project: enough for what everybody can read.",
        examples=["env:YOUTUBE_API_KEY"],
        json_schema_extra=dict(FILL_IN),
    )
    oauth: OAuthSettings | None = Field(
        default=None,
        description="Instead of a key: the channel's owner logs in (`allears channels login`).",
        examples=[
            {
                "provider": "google",
                "grant": "browser",
                "client_id": "1234.apps.googleusercontent.com",
                "client_secret": "env:YOUTUBE_SECRET",
            }
        ],
    )
    read_held: bool = Field(
        default=False, description="Hear comments too that YouTube holds back for review. Needs oauth."
    )
    units_per_day: int = Field(
        default=8000,
        ge=10,
        le=10_000_000,
        description="Quota units that all channels of a project may use in a day together: reading rests when they are "
        "used up. A poll costs one or a few; Google gives a project 10,000.",
    )
    quota_project: str = Field(
        default="",
        description="Google Cloud project whose quota is used: channels that name the same one share the day's units. "
        "Empty: the project of the login, or that of the key alone.",
    )
    interval_seconds: float = Field(
        default=300, ge=1, le=86_400, description="Time between polls; each costs a unit or more."
    )
    url: str = Field(
        default="https://www.googleapis.com",
        pattern=r"^https://[^\s@?#/]+$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$",
        description="Where the YouTube Data API is.",
    )
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")

    @model_validator(mode="after")
    def _agree(self) -> YoutubeSettings:
        if (self.api_key is None) == (self.oauth is None):
            raise ValueError("set api_key, or oauth: one of them")
        if self.read_held and self.oauth is None:
            raise ValueError("read_held needs oauth: only the owner sees what is held back")
        return self
