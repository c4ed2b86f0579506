"""What an admin says of a Freshdesk account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from allears_sdk.settings import nearest
from allears_sdk.sink import TicketStatus
from allears_sdk.tickets import StoreValue, TicketSettings
from sink._requester import ADDRESS

NATIVE = ("company_id", "email_config_id", "group_id", "product_id", "responder_id", "source", "status", "type")
"""What `fields` may name beside custom fields."""


class FreshdeskSettings(TicketSettings):
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
    constants: dict[str, StoreValue] = Field(
        default_factory=dict,
        description="Fields that every new ticket gets as they stand here.",
        examples=[{"group_id": 43000123456, "source": 7}],
    )
    reopen: bool = Field(
        default=False, description="True sets a resolved or closed ticket to open when its customer follows up."
    )
    customer_is_requester: bool = Field(
        default=True, description="False makes the stand-in the requester even of customers with an address."
    )
    requester: str = Field(
        default="",
        pattern=f"^$|^{ADDRESS}$",
        description="Address that complaints of customers without address and phone are filed under. Empty: a contact "
        "known by our id.",
        examples=["complaints@example.com"],
    )
    tags: list[str] = Field(default=["allears"], description="Tags of every ticket, beside those of the record.")
    statuses: dict[str, TicketStatus] = Field(
        default_factory=dict,
        description='Status as the webhook tells it → "open", "pending", "solved" or "closed", where it is one of your '
        "own or in another language.",
    )
    list_minutes: int = Field(
        default=30,
        ge=5,
        le=1440,
        description="How far back the plain list is read before the search, which knows new tickets minutes later.",
    )
    when_not_found: Literal["send", "hold"] = Field(
        default="send", description='What a look-up does not find after all waits: "send" it again or "hold" it.'
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
        if target not in NATIVE and not target.startswith("cf_"):
            raise ValueError(f"{target}: custom fields begin with cf_{nearest(target, list(NATIVE))}")
