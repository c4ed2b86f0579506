"""Which Zammad, which group, and what its tickets keep."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.tickets import Reopen, Requester, Statuses, ToldSettings

TAKEN = frozenset({"title", "group", "group_id", "customer", "customer_id", "article", "priority", "id", "number"})


class ZammadSettings(ToldSettings):
    """A group of a Zammad, and the ticket attribute that keeps our key."""

    sink: Literal["zammad"] = Field(default="zammad", description="Which kind of ticket store this is.")
    url: str = Field(
        pattern=r"^https?://[^\s]*[^\s/]$", description="Zammad's address.", examples=["https://zammad.example.com"]
    )
    token: SecretStr = Field(
        description="Access token with the permission `ticket.agent`.", examples=["env:ALLEARS_ZAMMAD_TOKEN"]
    )
    group: str = Field(min_length=1, description="Name of the group that tickets are made in.", examples=["投诉"])
    key_field: str = Field(
        default="allears_key",
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Name of the ticket attribute (text, 60 characters) that keeps our key: by it a ticket is found "
        "again when an answer was lost.",
    )
    article_type: Literal["note", "web", "phone"] = Field(
        default="note",
        description='Type of the first article. "web" and "phone" start service levels, and the triggers that mail '
        "customers.",
    )
    requester: Requester = Field(
        default="",
        description="Address of the customer that complaints without one are filed under. Empty: under a customer with "
        "name and phone.",
    )
    reopen: Reopen = False
    statuses: Statuses = Field(default_factory=dict)

    @model_validator(mode="after")
    def _are_free(self) -> ZammadSettings:
        taken = sorted(TAKEN & {*self.fields.values(), *self.constants})
        if taken:
            raise ValueError(f"{', '.join(taken)}: set by allears itself")
        return self
