"""What an admin says about a Facebook Page."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from connectors._meta.account import AccountSettings


class FacebookSettings(AccountSettings):
    example_name: ClassVar[str] = "shop-facebook"

    connector: Literal["facebook"] = Field(default="facebook", description="Which connector listens here.")
    page_id: str = Field(
        pattern=r"^\d{1,30}$",
        description="ID of the Page: what it says itself is context.",
        examples=["102290129340398"],
    )
    app_id: str = Field(
        default="",
        pattern=r"^\d{0,30}$",
        description="ID of the app: its subscription to the Page is looked at each day, and mended. Empty: left alone.",
    )

    @property
    def account_id(self) -> str:
        return self.page_id
