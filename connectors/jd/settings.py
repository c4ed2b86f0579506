"""What an admin says about a shop on JD."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from connectors._marketplace.settings import ShopSettings, Url

Source = Literal["reviews", "after_sales"]


class JdSettings(ShopSettings):
    """A shop, and an application of the open platform that may read its reviews and after-sales cases."""

    example_name: ClassVar[str] = "jd"

    connector: Literal["jd"] = Field(default="jd", description="Which connector listens here.")
    app_key: str = Field(
        pattern=r"^\w{4,64}$", description="The application's App Key.", examples=["0123456789ABCDEF0123456789ABCDEF"]
    )
    sources: frozenset[Source] = Field(
        default=frozenset({"reviews", "after_sales"}),
        min_length=1,
        description='What is read: "reviews" (商品评价), "after_sales" (售后服务单).',
    )
    score_scale: Literal["stars", "class"] = Field(
        default="stars",
        description='What JD means by the score of a review: "stars" from 1 to 5, or "class": 3 good, 2 medium, 1 bad.',
    )
    reason_field: str = Field(
        default="applyReason", max_length=64, description="Name in customerApplyInfo of the reason the customer chose."
    )
    words_field: str = Field(
        default="questionDesc", max_length=64, description="Name in customerApplyInfo of what the customer wrote."
    )
    sweep_hours: float = Field(
        default=24, ge=1, le=720, description="How often reviews are read again: JD tells no time of an edit."
    )
    sweep_days: float = Field(default=30, ge=1, le=365, description="How old the reviews are that are read again.")
    interval_seconds: float = Field(
        default=120, ge=30, le=86_400, description="Time between polls: one call for each list, one for each case."
    )
    gateway_url: Url = Field(
        default="https://api.jd.com/routerjson", description="Address of the older gateway, which has the reviews."
    )
    url: Url = Field(
        default="https://api-cn.jd.com/rest/sp-aftercare/v0",
        description="Address of the newer one (SP-API), which has the after-sales cases.",
    )
    oauth_url: Url = Field(
        default="https://open-oauth.jd.com/oauth2", description="Where the seller grants access, and tokens come from."
    )
