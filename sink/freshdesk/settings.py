"""What an admin says of a Freshdesk account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.settings import nearest
from allears_sdk.tickets import CustomerIsRequester, Reopen, Requester, Statuses, ToldSettings, WhenNotFound

NATIVE = ("company_id", "email_config_id", "group_id", "product_id", "responder_id", "source", "status", "type")
"""What `fields` may name beside custom fields."""


class FreshdeskSettings(ToldSettings):
    """Which account, whose key, and by which field its tickets are known."""

    sink: Literal["freshdesk"] = Field(default="freshdesk", description="Which kind of ticket store this is.")
    url: str = Field(
        pattern=r"^https?://[^\s/]+/?$",
        description="Address of the account; the freshdesk.com one, no domain of your own.",
        examples=["https://shop.freshdesk.com"],
    )
    api_key: SecretStr = Field(description="API key of an agent.", examples=["env:FRESHDESK_API_KEY"])
    key_field: str = Field(
        pattern=r"^cf_\w+$",
        description="Custom text field that holds the key by which a ticket is found again.",
        examples=["cf_allears_key"],
    )
    reopen: Reopen = False
    customer_is_requester: CustomerIsRequester = True
    requester: Requester = Field(
        default="",
        description="Address that complaints of customers without address and phone are filed under. Empty: a contact "
        "known by our id.",
        examples=["complaints@example.com"],
    )
    tags: list[str] = Field(default=["allears"], description="Tags of every ticket, beside those of the record.")
    statuses: Statuses = Field(default_factory=dict)
    list_minutes: int = Field(
        default=30,
        ge=5,
        le=1440,
        description="How far back the plain list is read before the search, which knows new tickets minutes later.",
    )
    when_not_found: WhenNotFound = "send"

    @model_validator(mode="after")
    def _have_targets(self) -> FreshdeskSettings:
        _check_targets((*self.fields.values(), *self.constants))
        return self


def _check_targets(targets: Iterable[str]) -> None:
    for target in targets:
        if target not in NATIVE and not target.startswith("cf_"):
            raise ValueError(f"{target}: custom fields begin with cf_{nearest(target, list(NATIVE))}")
