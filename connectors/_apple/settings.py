"""Which apps, and what people call them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from allears_sdk.sweep import SweepSettings

AppId = Annotated[str, StringConstraints(pattern=r"^\d{5,15}$")]


class AppStoreSettings(SweepSettings):
    apps: dict[AppId, str] = Field(
        min_length=1,
        description="Apple's number of each app (in its App Store address, behind `id`), and the name by which the "
        "record is to call it.",
        examples=[{"6448311069": "示例商城"}],
    )

    def name_of(self, app: str) -> str:
        return self.apps.get(app, "") or f"id{app}"


def product_of(name: str, *, version: str = "", place: str = "") -> str:
    """示例商城 4.2.1 (CHN): what is rated, and in which storefront."""
    return " ".join(part for part in (name, version, f"({place})" if place else "") if part)


def page_of(app: str, country: str = "") -> str:
    """The app's public page: a review has no address of its own there."""
    return f"https://apps.apple.com/{country}/app/id{app}" if country else f"https://apps.apple.com/app/id{app}"
