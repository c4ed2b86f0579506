"""Which instance, which table, and what its columns are called."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.settings import FILL_IN
from allears_sdk.tickets import TicketSettings

_COLUMN = r"^[a-z][a-z0-9_]*$"
Priority = Literal["impact_urgency", "priority", "none"]


class ServiceNowSettings(TicketSettings):
    """A table of one instance: incidents, customer service cases, or one of its own."""

    sink: Literal["servicenow"] = Field(default="servicenow", description="Which kind of ticket store this is.")
    url: str = Field(
        pattern=r"^https?://[^\s/]+$",
        description="The instance's address.",
        examples=["https://example.service-now.com"],
    )
    username: str = Field(
        default="",
        description="Integration user, for basic authentication.",
        examples=["allears.intake"],
        json_schema_extra=dict(FILL_IN),
    )
    password: SecretStr | None = Field(
        default=None,
        description="Its password.",
        examples=["env:ALLEARS_SERVICENOW_PASSWORD"],
        json_schema_extra=dict(FILL_IN),
    )
    client_id: str = Field(
        default="", description="OAuth application (client credentials), instead of user name and password."
    )
    client_secret: SecretStr | None = Field(default=None, description="The application's secret.")
    table: str = Field(
        default="incident",
        pattern=_COLUMN,
        description='Table that complaints go to: "incident", "sn_customerservice_case", or one of your own.',
    )
    key_field: str = Field(
        default="correlation_id",
        pattern=_COLUMN,
        description="Column of text that holds the key; nothing else may write there.",
    )
    title_field: str = Field(default="short_description", pattern=_COLUMN, description="Column of the title.")
    text_field: str = Field(default="description", pattern=_COLUMN, description="Column of the opening's text.")
    internal_field: str = Field(
        default="work_notes", pattern=_COLUMN, description="Journal column that agents alone see."
    )
    public_field: str = Field(default="comments", pattern=_COLUMN, description="Journal column that customers see too.")
    max_title_chars: int = Field(
        default=160, ge=40, le=4000, description="How much the title's column holds; ServiceNow cuts without a word."
    )
    max_text_chars: int = Field(
        default=4000, ge=500, le=1_000_000, description="How much the columns of text hold; likewise."
    )
    requester: str = Field(
        default="",
        pattern=r"^([0-9a-f]{32})?$",
        description="sys_id of the user or contact that complaints are opened for. Empty: nobody.",
    )
    requester_field: str = Field(
        default="",
        pattern=r"^$|^[a-z][a-z0-9_]*$",
        description='Column the requester goes to. Empty: "caller_id", of cases "contact".',
    )
    priority: Priority | None = Field(
        default=None,
        description='How priority is set: "impact_urgency" (both, from which the instance computes it), "priority" or '
        '"none". Empty: as the table is used to; none for one of your own.',
    )
    closed_states: frozenset[str] = Field(
        default=frozenset(),
        description='Values of `state` in which a record takes no more, beside those that are not active: "6" where '
        "resolved incidents are read-only.",
    )

    @model_validator(mode="after")
    def _agree(self) -> ServiceNowSettings:
        basic, oauth = (bool(self.username), self.password), (bool(self.client_id), self.client_secret)
        if any(basic) == any(oauth):
            raise ValueError("either username and password, or client_id and client_secret")
        if not (all(basic) or all(oauth)):
            raise ValueError("a name without its secret, or a secret without its name")
        return self

    @property
    def sets_priority(self) -> Priority:
        usual: dict[str, Priority] = {"incident": "impact_urgency", "sn_customerservice_case": "priority"}
        return self.priority or usual.get(self.table, "none")

    @property
    def asks_column(self) -> str:
        """Where the requester goes."""
        return self.requester_field or ("contact" if self.table == "sn_customerservice_case" else "caller_id")
