"""Which Chatwoot, which inbox, and which attribute keeps our key."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.tickets import ToldSettings

PRIORITIES = ("urgent", "high", "medium", "low")
NATIVE = frozenset({"assignee_id", "team_id"})
"""Targets of `fields` that are not attributes: numbers of an agent and a team."""


class ChatwootSettings(ToldSettings):
    """An API inbox of a Chatwoot account."""

    sink: Literal["chatwoot"] = Field(default="chatwoot", description="Which kind of ticket store this is.")
    url: str = Field(
        pattern=r"^https?://[^\s]*[^\s/]$", description="Chatwoot's address.", examples=["https://app.chatwoot.com"]
    )
    token: SecretStr = Field(
        description="Access token of an agent or administrator (not of a bot).", examples=["env:ALLEARS_CHATWOOT_TOKEN"]
    )
    account_id: int = Field(ge=1, description="Number of the account, as the address in the browser has it.")
    inbox_id: int = Field(ge=1, description="Number of an inbox of the type API that the token's agent belongs to.")
    key_attribute: str = Field(
        default="allears_key",
        pattern=r"^[A-Za-z0-9_]+$",
        description="Key of the conversation attribute (text) that keeps our key: by it a conversation is found again "
        "when an answer was lost.",
    )

    @model_validator(mode="after")
    def _are_known(self) -> ChatwootSettings:
        if self.key_attribute in (*self.fields.values(), *self.constants):
            raise ValueError(f"{self.key_attribute} is set by allears itself")
        unknown = sorted(str(word) for word in self.values.get("priority", {}).values() if word not in PRIORITIES)
        if unknown:
            raise ValueError(f"values.priority: {', '.join(unknown)}: Chatwoot knows {', '.join(PRIORITIES)}")
        return self
