"""Which Jira, which project, and how its fields want their values."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.settings import FILL_IN
from allears_sdk.tickets import Statuses, ToldSettings, WhenNotFound
from sink.jira.values import Form


class JiraSettings(ToldSettings):
    """A project of Jira Cloud, of Jira Service Management or of a Data Center."""

    has_json_constants: ClassVar[bool] = True

    sink: Literal["jira"] = Field(default="jira", description="Which kind of ticket store this is.")
    url: str = Field(
        pattern=r"^https?://[^\s/]+(/[^\s]*)?[^\s/]$",
        description="The site's address; for a token with scopes `https://api.atlassian.com/ex/jira/CLOUD_ID`.",
        examples=["https://example.atlassian.net"],
    )
    site_url: str = Field(
        default="",
        pattern=r"^$|^https?://[^\s]*[^\s/]$",
        description="Where people open issues, if that is another address than `url`.",
    )
    deployment: Literal["cloud", "data_center"] = Field(
        default="cloud", description="Atlassian's cloud, or a Jira of one's own (Data Center 9 or later)."
    )
    email: str = Field(
        default="",
        description="Account the API token belongs to. Empty: the token is sent as Bearer, as Data Center wants it.",
        examples=["allears@example.com"],
        json_schema_extra=dict(FILL_IN),
    )
    token: SecretStr = Field(
        description="API token (Cloud) or personal access token (Data Center).", examples=["env:ALLEARS_JIRA_TOKEN"]
    )
    project: str = Field(
        pattern=r"^[A-Z][A-Z0-9_]+$", description="Key of the project that issues are made in.", examples=["CMP"]
    )
    issue_type: str = Field(default="Task", min_length=1, description="Name of the issue type, as the project has it.")
    service_desk: str = Field(
        default="",
        pattern=r"^\d*$",
        description="Service Management: id of the project's service desk. Complaints become customer requests.",
    )
    request_type: str = Field(
        default="", pattern=r"^\d*$", description="Service Management: id of the request type; with `service_desk`."
    )
    raise_on_behalf_of: str = Field(
        default="",
        description="Service Management: account id of the customer that requests are raised for. Empty: allears.",
    )
    field_forms: dict[str, Form] = Field(
        default_factory=dict,
        description='How a field of `fields` wants its value, where that is not plain text: "option" (select list), '
        '"options", "name", "names", "labels", "number", "datetime", "date", "document" (paragraph), "user".',
    )
    priority: bool = Field(default=True, description="False where Priority is not on the create screen.")
    label: bool = Field(
        default=True,
        description="False where Labels are not on the create screen: issues are then looked up by their summary.",
    )
    when_not_found: WhenNotFound = "hold"
    statuses: Statuses = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agree(self) -> JiraSettings:
        if bool(self.service_desk) != bool(self.request_type):
            raise ValueError("service_desk and request_type go together")
        if self.raise_on_behalf_of and not self.service_desk:
            raise ValueError("raise_on_behalf_of is for a service_desk")
        if self.deployment == "cloud" and not self.email and "api.atlassian.com" not in self.url:
            raise ValueError("the cloud wants the email that the API token belongs to")
        return self

    @property
    def is_cloud(self) -> bool:
        return self.deployment == "cloud"

    @property
    def api(self) -> str:
        """Version 3 speaks documents, version 2 marked-up text."""
        return f"{self.url}/rest/api/{3 if self.is_cloud else 2}"
