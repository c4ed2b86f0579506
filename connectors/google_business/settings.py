"""What an admin says about places on Google."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from allears_sdk.oauth import OAuthSettings
from allears_sdk.settings import ChannelSettings

LocationName = Annotated[str, StringConstraints(pattern=r"^accounts/[\w-]{1,60}/locations/[\w-]{1,60}$")]
Url = Annotated[
    str,
    StringConstraints(pattern=r"^https://[^/?#@]+$|^http://(localhost|127\.0\.0\.1)(:\d+)?$"),
]


class GoogleBusinessSettings(ChannelSettings):
    """The places of a Business Profile, and who may read their reviews."""

    example_name: ClassVar[str] = "google-business"

    connector: Literal["google_business"] = Field(
        default="google_business", description="Which connector listens here."
    )
    oauth: OAuthSettings = Field(
        description="The client that somebody logs in with who manages the profile.",
        examples=[
            {
                "provider": "google",
                "client_id": "123456789012-abc.apps.googleusercontent.com",
                "client_secret": "env:GOOGLE_CLIENT_SECRET",
            }
        ],
    )
    locations: dict[LocationName, str] = Field(
        default={},
        description="Places to hear, as `allears check` names them, and what the record is to call each. Empty: all "
        "that the account manages, by their own names.",
        examples=[{"accounts/1234567890/locations/9876543210": "示例餐厅（人民路店）"}],
    )
    quota_project: str = Field(
        default="",
        description="Google Cloud project whose quota is used: channels that name the same one share it. Empty: the "
        "login's own.",
    )
    calls_per_day: int = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="How many calls all channels of the project may make in a day (it ends at midnight in California); "
        "reading then rests. 0: no such limit, as Google names none.",
    )
    interval_seconds: float = Field(
        default=300, ge=30, le=86_400, description="Time between polls: one call or more for each place."
    )
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")
    url: Url = Field(
        default="https://mybusiness.googleapis.com",
        description="Address of the API that gives reviews; another one where a proxy stands before it.",
    )
    accounts_url: Url = Field(
        default="https://mybusinessaccountmanagement.googleapis.com",
        description="Address of the one that has accounts.",
    )
    locations_url: Url = Field(
        default="https://mybusinessbusinessinformation.googleapis.com",
        description="Address of the one that has places.",
    )
