"""What an admin says about an Instagram account."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from connectors._meta.account import AccountSettings


class InstagramSettings(AccountSettings):
    example_name: ClassVar[str] = "shop-instagram"

    connector: Literal["instagram"] = Field(default="instagram", description="Which connector listens here.")
    instagram_id: str = Field(
        pattern=r"^\d{1,30}$",
        description="ID of the professional account (17841…), not its name.",
        examples=["17841405822304914"],
    )
    username: str = Field(
        default="",
        pattern=r"^@?[\w.]{0,30}$",
        description="Name of the account: what it comments itself is context.",
        examples=["example_shop"],
    )
    page_id: str = Field(
        default="",
        pattern=r"^\d{0,30}$",
        description="Page that the account is linked with: answers go through it. Empty with Instagram Login.",
    )
    renew_token: bool | None = Field(
        default=None,
        description="Renew the token of Instagram Login before its 60 days end. Unset: where `url` is Instagram "
        "Login's.",
    )
    interval_seconds: float = Field(
        default=3600, ge=60, le=86_400, description="Time between two looks for comments that were not delivered."
    )

    @property
    def effective_renew_token(self) -> bool:
        return "//graph.instagram.com" in self.url if self.renew_token is None else self.renew_token

    @property
    def account_id(self) -> str:
        return self.instagram_id

    @property
    def sender_id(self) -> str:
        return self.page_id or self.instagram_id
