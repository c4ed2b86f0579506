"""What an admin says of a Zendesk account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.settings import nearest
from allears_sdk.tickets import CustomerIsRequester, Reopen, Requester, Statuses, ToldSettings

NATIVE = ("assignee_id", "brand_id", "group_id", "organization_id", "status", "tags", "ticket_form_id", "type")
"""What `fields` may name beside the numbers of custom fields."""


class ZendeskSettings(ToldSettings):
    """Which account, whose token, and who the requester is."""

    sink: Literal["zendesk"] = Field(default="zendesk", description="Which kind of ticket store this is.")
    url: str = Field(
        pattern=r"^https?://[^\s/]+/?$", description="Address of the account.", examples=["https://shop.zendesk.com"]
    )
    email: str = Field(
        default="",
        description="Address of the agent the API token is used as. Empty: `token` is one of OAuth.",
        examples=["intake@example.com"],
    )
    token: SecretStr = Field(description="API token, or access token of OAuth.", examples=["env:ZENDESK_TOKEN"])
    customer_is_requester: CustomerIsRequester = True
    requester: Requester = Field(
        default="",
        description="Address that complaints of customers without one are filed under. Empty: under the agent whose "
        "token it is.",
        examples=["complaints@example.com"],
    )
    public_opening: bool = Field(
        default=False, description="True shows the opening to the requester, whom Zendesk's triggers then may write to."
    )
    tags: list[str] = Field(default=["allears"], description="Tags of every ticket, beside those of the record.")
    reopen: Reopen = False
    statuses: Statuses = Field(default_factory=dict)

    @model_validator(mode="after")
    def _have_targets(self) -> ZendeskSettings:
        _check_targets((*self.fields.values(), *self.constants))
        return self


def _check_targets(targets: Iterable[str]) -> None:
    for target in targets:
        if target not in NATIVE and not (target.isascii() and target.isdecimal()):
            raise ValueError(f"{target}: not the number of a custom field{nearest(target, list(NATIVE))}")
