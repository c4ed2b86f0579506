"""What an admin says about apps on Google Play."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from allears_sdk.oauth import OAuthSettings
from allears_sdk.settings import ChannelSettings

PackageName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]\w*(\.[A-Za-z]\w*)+$", max_length=200)]


class GooglePlaySettings(ChannelSettings):
    """Apps of one developer account, and who may read their reviews."""

    example_name: ClassVar[str] = "google-play"

    connector: Literal["google_play"] = Field(default="google_play", description="Which connector listens here.")
    apps: dict[PackageName, str] = Field(
        min_length=1,
        description="The package name of each app (in its Play address, behind `id=`), and the name by which the "
        "record is to call it.",
        examples=[{"com.example.shop": "示例商城"}],
    )
    oauth: OAuthSettings = Field(
        description="The service account that the developer account has invited.",
        examples=[
            {
                "provider": "google",
                "grant": "service_account",
                "service_account": "file:/etc/allears/google-service-account.json",
            }
        ],
    )
    interval_seconds: float = Field(
        default=600, ge=60, le=86_400, description="Time between polls: one call or more for each app."
    )
    calls_per_hour: int = Field(
        default=200, ge=10, le=100_000, description="How many reads an hour Google allows for one app."
    )
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")
    url: str = Field(
        default="https://androidpublisher.googleapis.com",
        pattern=r"^https://[^/?#@]+$|^http://(localhost|127\.0\.0\.1)(:\d+)?$",
        description="Address of the API; another one where a proxy stands before it.",
    )

    def name_of(self, app: str) -> str:
        return self.apps.get(app, "") or app
