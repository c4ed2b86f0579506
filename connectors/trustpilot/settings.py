"""What an admin says about a company on Trustpilot."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from allears_sdk.settings import FILL_IN
from allears_sdk.sweep import SweepSettings


class TrustpilotSettings(SweepSettings):
    """A company, and how its reviews come: pushed, read, or both."""

    example_name: ClassVar[str] = "trustpilot"

    connector: Literal["trustpilot"] = Field(default="trustpilot", description="Which connector listens here.")
    business_unit_id: str = Field(
        default="",
        pattern=r"^[0-9A-Za-z]{0,64}$",
        description="Trustpilot's ID of the company, where reviews are read.",
        examples=["46d6a890000064000500e0c3"],
        json_schema_extra=dict(FILL_IN),
    )
    api_key: SecretStr | None = Field(
        default=None,
        description="Key of an API application. Unset: what is pushed alone is heard, and what was missed is not.",
        examples=["env:TRUSTPILOT_API_KEY"],
        json_schema_extra=dict(FILL_IN),
    )
    api_secret: SecretStr | None = Field(
        default=None,
        description="Its secret: with it the order's number and the customer's e-mail address are read too.",
        examples=["env:TRUSTPILOT_API_SECRET"],
        json_schema_extra=dict(FILL_IN),
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Words of yours that end the address to which Trustpilot pushes, as /SECRET: it signs nothing. "
        "Unset: nothing is taken in.",
        examples=["env:TRUSTPILOT_WEBHOOK_SECRET"],
        json_schema_extra=dict(FILL_IN),
    )
    product_reviews: bool = Field(
        default=False, description="True reads reviews of products too; it takes `api_secret`."
    )
    interval_seconds: float = Field(
        default=300, ge=30, le=86_400, description="Time between polls: mostly one call, two with product reviews."
    )
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")
    url: str = Field(
        default="https://api.trustpilot.com",
        pattern=r"^https://[^/?#@]+$|^http://(localhost|127\.0\.0\.1)(:\d+)?$",
        description="Address of the API; another one where a proxy stands before it.",
    )

    @model_validator(mode="after")
    def _has_a_way_in(self) -> Self:
        if self.api_key is None and self.webhook_secret is None:
            raise ValueError("set api_key (reviews are read), webhook_secret (they are pushed), or both")
        if self.api_key is not None and not self.business_unit_id:
            raise ValueError("api_key reads the reviews of a company: set business_unit_id")
        if self.api_key is None and self.api_secret is not None:
            raise ValueError("api_secret goes with api_key")
        if self.product_reviews and self.api_secret is None:
            raise ValueError("product_reviews takes api_secret")
        return self
