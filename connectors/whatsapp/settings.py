"""What an admin says about a WhatsApp Business account."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from allears_sdk.settings import FILL_IN
from connectors._meta.settings import MetaSettings


class WhatsappSettings(MetaSettings):
    example_name: ClassVar[str] = "support-whatsapp"

    connector: Literal["whatsapp"] = Field(default="whatsapp", description="Which connector listens here.")
    business_account_id: str = Field(
        default="",
        pattern=r"^\d{0,30}$",
        description="WhatsApp Business account ID: `allears check` then says which numbers there are, and whether "
        "their messages are delivered to this app.",
        json_schema_extra=dict(FILL_IN),
    )
    phone_number_ids: frozenset[str] = Field(
        default=frozenset(),
        description="Phone number IDs (not numbers) whose messages are heard here. Empty: all that are delivered.",
        examples=[["106540352242922"]],
    )
    media_days: float = Field(
        default=7,
        gt=0,
        le=30,
        description="How long Meta keeps what customers send: 0.04 (an hour) for numbers without storage.",
    )
