"""What an admin says about a shop on Judge.me."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from allears_sdk.sweep import SweepSettings


class JudgeMeSettings(SweepSettings):
    """A shop and its token. Where Judge.me's own reference was not at hand, what calls look like is a setting."""

    example_name: ClassVar[str] = "judge-me"

    connector: Literal["judge_me"] = Field(default="judge_me", description="Which connector listens here.")
    shop_domain: str = Field(
        pattern=r"^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+$",
        description="The shop, as Judge.me knows it: of a Shopify shop the address that ends with myshopify.com.",
        examples=["example-shop.myshopify.com"],
    )
    api_token: SecretStr = Field(
        min_length=8,
        description="Private API token: it reads, and signs what is pushed.",
        examples=["env:JUDGE_ME_API_TOKEN"],
    )
    app_secret: SecretStr | None = Field(
        default=None, description="Secret of the OAuth app, where the webhooks were made by one: it signs them then."
    )
    interval_seconds: float = Field(
        default=300,
        ge=30,
        le=86_400,
        description="Time between polls: mostly two calls.",
    )
    sweep_hours: float = Field(
        default=1,
        ge=1,
        le=720,
        description="How often all pages are read: Judge.me promises no order, and a review may stand on any of them.",
    )
    sweep_pages: int = Field(
        default=100, ge=1, le=10_000, description="Pages of 100 read then; what stands further back goes unheard."
    )
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")
    url: str = Field(
        default="https://judge.me",
        pattern=r"^https://[^/?#@]+$|^http://(localhost|127\.0\.0\.1)(:\d+)?$",
        description='Address of the API; a newer one is "https://api.judge.me".',
    )
    reviews_path: str = Field(
        default="/api/v1/reviews",
        pattern=r"^(/[\w.-]+)+$",
        description="Where reviews are listed, should it have moved.",
    )
    credentials_in: Literal["query", "header"] = Field(
        default="query", description='Where the token goes: "query" (api_token=…) or "header" (X-Api-Token).'
    )
