"""What an admin says about a shop on Taobao or Tmall."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from connectors._marketplace.settings import ShopSettings, Url

Source = Literal["ratings", "refunds", "messages"]


class TaobaoSettings(ShopSettings):
    """A shop, and an application of the open platform (TOP) that may read its ratings and refunds."""

    example_name: ClassVar[str] = "taobao"

    connector: Literal["taobao"] = Field(default="taobao", description="Which connector listens here.")
    app_key: str = Field(pattern=r"^\d{4,20}$", description="The application's App Key.", examples=["12345678"])
    sources: frozenset[Source] = Field(
        default=frozenset({"ratings", "refunds"}),
        min_length=1,
        description='What is read: "ratings" (评价), "refunds" (退款售后), and "messages" (消息服务 TMC), by which '
        "both are heard at once; it needs a group of its own in `message_group`.",
    )
    message_group: str = Field(
        default="",
        max_length=64,
        description="The group (消息分组) whose messages are taken and confirmed: nobody else gets them. Empty: the "
        "application's default one.",
    )
    sweep_hours: float = Field(
        default=24, ge=1, le=720, description="How often ratings are read again: Taobao tells no time of an edit."
    )
    sweep_days: float = Field(default=30, ge=1, le=180, description="How old the ratings are that are read again.")
    additional_reviews: bool = Field(
        default=False,
        description="Ask Tmall for additional reviews (追评): a call for each rating that is read, or read again.",
    )
    sign_method: Literal["md5", "hmac", "hmac-sha256"] = Field(default="md5", description="How calls are signed.")
    url: Url = Field(
        default="https://gw.api.taobao.com/router/rest",
        description="Address of the gateway; https://eco.taobao.com/router/rest is its older one.",
    )
    authorize_url: Url = Field(
        default="https://oauth.taobao.com/authorize", description="Where the seller grants access."
    )
    token_url: Url = Field(default="https://oauth.taobao.com/token", description="Where tokens come from.")
