"""What an admin says about a seller on Amazon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from allears_sdk.settings import ChannelSettings, SecretStr
from connectors.amazon.marketplaces import MARKETPLACES, Code, Region

Asin = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{10}$")]
Part = Literal["date", "rating", "comments", "response", "order", "email"]
_URL = r"^$|^https://[^?#@]+[^/?#@]$|^http://(localhost|127\.0\.0\.1)(:\d+)?(/[^?#]*[^/?#])?$"


class AmazonSettings(ChannelSettings):
    """One seller in the marketplaces of one region, and the application that the seller has authorised."""

    example_name: ClassVar[str] = "amazon"

    connector: Literal["amazon"] = Field(default="amazon", description="Which connector listens here.")
    seller: str = Field(
        pattern=r"^A[A-Z0-9]{9,19}$",
        description="The merchant token: Seller Central → Settings → Account info → Your merchant token.",
        examples=["A2EXAMPLE00001"],
    )
    marketplaces: tuple[Code, ...] = Field(
        min_length=1,
        description="Shops in which the seller sells, all of one region (Americas, Europe, Far East).",
        examples=[["US", "CA"]],
    )
    client_id: str = Field(
        min_length=1,
        description="LWA client identifier of the application.",
        examples=["amzn1.application-oa2-client.0"],
    )
    client_secret: SecretStr = Field(description="LWA client secret.", examples=["env:AMAZON_CLIENT_SECRET"])
    secret_expires: date | None = Field(
        default=None,
        description="The day on which Developer Central says that client_secret ends: told days ahead.",
        examples=["2027-03-31"],
    )
    refresh_token: SecretStr = Field(
        description="What authorising the application showed: begins with Atzr|.", examples=["env:AMAZON_REFRESH_TOKEN"]
    )
    products: dict[Asin, str] = Field(
        default={},
        description="ASINs whose topics of negative product reviews are kept too, and what the record calls each; "
        "asks for the role Brand Analytics.",
        examples=[{"B0EXAMPLE1": "Example Kettle"}],
    )
    file_topics: bool = Field(
        default=False,
        description="True files those topics that hold a grievance, though they are Amazon's summary of many reviews.",
    )
    columns: dict[Part, str] = Field(
        default={},
        description="Titles of the feedback report's columns where they are not English; empty: known by their place.",
        examples=[{"rating": "Bewertung", "order": "Bestellnummer"}],
    )
    interval_seconds: float = Field(
        default=21_600, ge=900, le=86_400, description="Time between two reports; Amazon takes minutes to make one."
    )
    report_days: int = Field(default=90, ge=2, le=365, description="The longest span asked for in one report.")
    recheck_days: int = Field(
        default=60, ge=1, le=364, description="How far back each report reaches for changed feedback and your answers."
    )
    history_days: int = Field(
        default=365, ge=30, le=1100, description="What is older is taken to be gone at Amazon: a gap after an outage."
    )
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")
    url: str = Field(default="", pattern=_URL, description="Address of the API; empty: the region's.")
    token_url: str = Field(
        default="https://api.amazon.com/auth/o2/token", pattern=_URL, description="Where access tokens come from."
    )

    @field_validator("columns")
    @classmethod
    def _says_something(cls, columns: Mapping[Part, str]) -> Mapping[Part, str]:
        if not all(title.strip() for title in columns.values()):
            raise ValueError("a column title is empty")
        return columns

    @model_validator(mode="after")
    def _agree(self) -> AmazonSettings:
        if len({MARKETPLACES[code].region for code in self.marketplaces}) > 1:
            raise ValueError("marketplaces of several regions: make a channel for each, with its own authorisation")
        if self.recheck_days >= self.report_days:
            raise ValueError("recheck_days must be less than report_days, else no report gets further than the last")
        return self

    @property
    def shop_region(self) -> Region:
        return MARKETPLACES[self.marketplaces[0]].region

    @property
    def effective_url(self) -> str:
        return self.url or f"https://sellingpartnerapi-{self.shop_region}.amazon.com"
