"""What an admin says of a Zendesk account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from allears_sdk.settings import nearest
from allears_sdk.sink import TicketStatus
from allears_sdk.tickets import StoreValue, TicketSettings
from sink._requester import ADDRESS

NATIVE = ("assignee_id", "brand_id", "group_id", "organization_id", "status", "tags", "ticket_form_id", "type")
"""What `fields` may name beside the numbers of custom fields."""


class ZendeskSettings(TicketSettings):
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
    customer_is_requester: bool = Field(
        default=True, description="False makes the stand-in the requester even of customers with an address."
    )
    requester: str = Field(
        default="",
        pattern=f"^$|^{ADDRESS}$",
        description="Address that complaints of customers without one are filed under. Empty: under the agent whose "
        "token it is.",
        examples=["complaints@example.com"],
    )
    public_opening: bool = Field(
        default=False, description="True shows the opening to the requester, whom Zendesk's triggers then may write to."
    )
    tags: list[str] = Field(default=["allears"], description="Tags of every ticket, beside those of the record.")

    constants: dict[str, StoreValue] = Field(
        default_factory=dict,
        description="Fields that every new ticket gets as they stand here.",
        examples=[{"group_id": 360001234}],
    )
    reopen: bool = Field(default=False, description="True sets a solved ticket to open when its customer follows up.")
    statuses: dict[str, TicketStatus] = Field(
        default_factory=dict,
        description='Status as a trigger tells it → "open", "pending", "solved" or "closed", where it is one of your '
        "own or in another language.",
    )

    @field_validator("fields")
    @classmethod
    def _are_targets(cls, fields: dict[str, str]) -> dict[str, str]:
        _check_targets(fields.values())
        return fields

    @field_validator("constants")
    @classmethod
    def _are_constants(cls, constants: dict[str, StoreValue]) -> dict[str, StoreValue]:
        _check_targets(constants)
        return constants


def _check_targets(targets: Iterable[str]) -> None:
    for target in targets:
        if target not in NATIVE and not (target.isascii() and target.isdecimal()):
            raise ValueError(f"{target}: not the number of a custom field{nearest(target, list(NATIVE))}")
