"""What an admin says about apps in AppGallery."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, StringConstraints

from allears_sdk.sweep import SweepSettings

AppId = Annotated[str, StringConstraints(pattern=r"^\d{5,20}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
_PATHS = {
    "android": "/api/reviews/v1/manage/dev/reviews",
    "harmonyos": "/api/marketing-api/v2/reviews/manage/dev/reviews",
}


class HuaweiAppGallerySettings(SweepSettings):
    """Apps of one developer, and an API client that may read their reviews."""

    example_name: ClassVar[str] = "appgallery"

    connector: Literal["huawei_appgallery"] = Field(
        default="huawei_appgallery", description="Which connector listens here."
    )
    apps: dict[AppId, str] = Field(
        min_length=1,
        description="The App ID of each app in AppGallery Connect, and the name by which the record is to call it.",
        examples=[{"100000001": "示例商城"}],
    )
    client_id: str = Field(
        pattern=r"^\w{1,64}$", description="Client ID of the API client.", examples=["1060000000000000000"]
    )
    client_secret: SecretStr = Field(description="Its key.", examples=["env:APPGALLERY_CLIENT_SECRET"])
    system: Literal["android", "harmonyos"] = Field(
        default="android", description='"android": also HarmonyOS up to 4; "harmonyos": 5 and later.'
    )
    countries: tuple[Country, ...] = Field(
        default=("CN",),
        min_length=1,
        description="Whose customers' reviews are read: countries of the one site that `url` names.",
    )
    interval_seconds: float = Field(
        default=600, ge=60, le=86_400, description="Time between polls: one call or more for each app."
    )
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")
    url: str = Field(
        default="https://connect-api.cloud.huawei.com",
        pattern=r"^https://[^/?#@]+$|^http://(localhost|127\.0\.0\.1)(:\d+)?$",
        description="Address of the API: China's site, or that of another one (Germany, Singapore, Russia).",
    )
    reviews_path: str = Field(
        default="",
        pattern=r"^(/[\w.-]+)*$",
        description="Where reviews are listed, should Huawei have moved them. Empty: by `system`.",
    )

    @property
    def effective_reviews_path(self) -> str:
        return self.reviews_path or _PATHS[self.system]

    def name_of(self, app: str) -> str:
        return self.apps.get(app, "") or f"C{app}"
