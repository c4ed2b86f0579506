"""What an admin says about the HubSpot account, and where new tickets go."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from allears_sdk.tickets import TicketSettings


class HubspotSettings(TicketSettings):
    """Which account, which pipeline, and what every new ticket looks like."""

    sink: Literal["hubspot"] = Field(default="hubspot", description="Which kind of ticket store this is.")
    token: SecretStr = Field(description="Access token of a private app.", examples=["env:HUBSPOT_TOKEN"])
    url: str = Field(
        default="https://api.hubapi.com",
        pattern=r"^https://[\w.-]+$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$",
        description="Address of HubSpot's API.",
    )
    api_version: str = Field(
        default="v3",
        pattern=r"^v3$|^20\d\d-\d\d$",
        description='"v3", or a dated version as "2026-03".',
    )
    key_property: str = Field(
        default="ale_complaint_id",
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Internal name of the ticket property that holds our key: single-line text with unique values.",
    )
    pipeline: str = Field(default="0", description="Id of the pipeline of new tickets.")
    stage: str = Field(default="1", description="Id (not the label) of the stage where they begin.")
    contacts: Literal["existing", "none"] = Field(
        default="existing",
        description='"existing": a ticket is linked to the contact with the customer\'s address, where there is one.',
    )
    folder: str = Field(
        default="/allears", pattern="^/", description="Folder of HubSpot's files where attachments lie, privately."
    )
