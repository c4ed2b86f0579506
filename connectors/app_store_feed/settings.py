"""What an admin says about apps whose public reviews are read."""

from __future__ import annotations

from string import Formatter
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, field_validator

from connectors._apple.settings import AppStoreSettings

Country = Annotated[str, StringConstraints(pattern="^[a-z]{2}$")]
_PLACES = {"country", "app", "page"}


class AppStoreFeedSettings(AppStoreSettings):
    """Apps of anybody, and the countries whose reviews count."""

    example_name: ClassVar[str] = "app-store-feed"

    connector: Literal["app_store_feed"] = Field(default="app_store_feed", description="Which connector listens here.")
    countries: tuple[Country, ...] = Field(
        min_length=1,
        description="Storefronts, each with a feed of its own: two letters as in the App Store's addresses.",
        examples=[["cn", "us", "jp"]],
    )
    interval_seconds: float = Field(
        default=1800, ge=1, le=86_400, description="Time between polls: one call for each app in each country."
    )
    sweep_pages: int = Field(default=10, ge=1, le=10, description="Pages of 50 reviews that the feed has.")
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")
    url: str = Field(
        default="https://itunes.apple.com",
        pattern=r"^https://[^/?#@]+$|^http://(localhost|127\.0\.0\.1)(:\d+)?$",
        description="Address of the feeds.",
    )
    path: str = Field(
        default="/{country}/rss/customerreviews/page={page}/id={app}/sortby=mostrecent/json",
        pattern="^/[^?#]*$",
        description="A feed's address there: Apple documents none, and has changed it before.",
    )

    @field_validator("path")
    @classmethod
    def _has_places(cls, path: str) -> str:
        try:
            found = {name for _, name, _, _ in Formatter().parse(path) if name is not None}
        except ValueError:
            found = set()
        if found != _PLACES:
            raise ValueError("the path needs {country}, {app} and {page}, and nothing else in braces")
        return path

    @field_validator("countries")
    @classmethod
    def _are_different(cls, countries: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(countries))
