"""What an admin says about a WooCommerce shop."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from allears_sdk.sweep import SweepSettings


class WooCommerceSettings(SweepSettings):
    """A shop, and a key that may read its reviews."""

    example_name: ClassVar[str] = "shop-reviews"

    connector: Literal["woocommerce"] = Field(default="woocommerce", description="Which connector listens here.")
    url: str = Field(
        pattern=r"^https://[^/?#@]+(/[^?#@]*)?$|^http://(localhost|127\.0\.0\.1)(:\d+)?$",
        description="Address of the shop, with the folder where WordPress lies in one.",
        examples=["https://shop.example.com"],
    )
    consumer_key: SecretStr = Field(
        min_length=8, description="Key of the REST API, with the permission to read.", examples=["env:WOO_CONSUMER_KEY"]
    )
    consumer_secret: SecretStr = Field(min_length=8, description="Its secret.", examples=["env:WOO_CONSUMER_SECRET"])
    credentials_in: Literal["header", "query"] = Field(
        default="header",
        description='Where the key goes: "header", or "query" for servers that drop the Authorization header.',
    )
    interval_seconds: float = Field(
        default=300, ge=10, le=86_400, description="Time between polls: mostly three calls to the shop."
    )
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")
    api_path: str = Field(
        default="/wp-json/wc/v3",
        pattern=r"^(/[\w.-]+)+$",
        description="Where the shop has its API; another one where a plugin has moved it.",
    )
