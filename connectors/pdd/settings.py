"""What an admin says about a shop on Pinduoduo."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from connectors._marketplace.settings import ShopSettings, Url

Status = Annotated[int, Field(ge=1, le=99)]
STATUSES = (*range(2, 19), *range(21, 28), *range(31, 34))
"""All that are documented."""


class PddSettings(ShopSettings):
    """A shop, and an application of the open platform that may read its after-sales cases."""

    example_name: ClassVar[str] = "pinduoduo"

    connector: Literal["pdd"] = Field(default="pdd", description="Which connector listens here.")
    client_id: str = Field(
        pattern=r"^\w{3,64}$", description="The application's client_id.", examples=["0123456789abcdef0123456789abcdef"]
    )
    statuses: tuple[Status, ...] = Field(
        default=STATUSES,
        min_length=1,
        description="States of after-sales cases (after_sales_status), asked for one after the other. Older pages say "
        "that 1 means all: [1] saves calls where that still holds.",
    )
    interval_seconds: float = Field(
        default=120, ge=30, le=86_400, description="Time between polls: one call or more for each of `statuses`."
    )
    url: Url = Field(default="https://gw-api.pinduoduo.com/api/router", description="Address of the gateway.")
    authorize_url: Url = Field(
        default="https://fuwu.pinduoduo.com/service-market/auth",
        description="Where the shop's main account grants access.",
    )

    @field_validator("statuses")
    @classmethod
    def _are_different(cls, statuses: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(statuses))
