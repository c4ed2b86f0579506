"""What an admin says about the Salesforce org, the app that lets us in, and the new cases."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.settings import FILL_IN
from allears_sdk.tickets import TicketSettings


class SalesforceSettings(TicketSettings):
    """Which org, how to get in, and what every new case looks like."""

    sink: Literal["salesforce"] = Field(default="salesforce", description="Which kind of ticket store this is.")
    url: str = Field(
        pattern=r"^https://[\w.-]+/?$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?/?$",
        description="The org's My Domain: neither login.salesforce.com nor an address of Lightning.",
        examples=["https://example.my.salesforce.com"],
    )
    client_id: str = Field(min_length=1, description="Consumer key of the app in Salesforce.", examples=["3MVG9…"])
    client_secret: SecretStr | None = Field(
        default=None,
        description="Its consumer secret, for the client credentials flow.",
        examples=["env:SALESFORCE_CLIENT_SECRET"],
        json_schema_extra=dict(FILL_IN),
    )
    username: str = Field(default="", description="JWT bearer flow: the user to act as; then give private_key too.")
    private_key: SecretStr | None = Field(
        default=None,
        description="JWT bearer flow: the RSA key (PEM) whose certificate the app has.",
        examples=["file:/etc/allears/salesforce.key"],
    )
    audience: str = Field(
        default="https://login.salesforce.com",
        pattern="^https://",
        description="JWT bearer flow: of a sandbox https://test.salesforce.com.",
    )
    api_version: str = Field(default="v60.0", pattern=r"^v\d\d\.0$", description="Version of the REST API, from v46.0.")
    key_field: str = Field(
        default="Complaint_Id__c",
        pattern=r"^[A-Za-z]\w*__c$",
        description="API name of the field of Case that holds our key: text of 60, external id, unique.",
    )

    @model_validator(mode="after")
    def _has_one_way_in(self) -> SalesforceSettings:
        if self.private_key is None and self.client_secret is None:
            raise ValueError("client_secret is missing (or private_key and username)")
        if self.private_key is not None and (self.client_secret is not None or not self.username):
            raise ValueError("private_key goes with a username and without a client_secret")
        return self

    @property
    def base(self) -> str:
        return self.url.rstrip("/")
