"""What an admin says about a team's apps."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator

from allears_sdk.errors import ConfigError
from allears_sdk.jwt import sign_es256
from allears_sdk.settings import FILL_IN
from connectors._apple.settings import AppStoreSettings


class AppStoreConnectSettings(AppStoreSettings):
    """Apps of one team, and an API key that may read their reviews."""

    example_name: ClassVar[str] = "app-store"

    connector: Literal["app_store_connect"] = Field(
        default="app_store_connect", description="Which connector listens here."
    )
    key_id: str = Field(pattern=r"^[A-Z0-9]{8,16}$", description="Id of the API key.", examples=["2X9R4HXF34"])
    issuer_id: str = Field(
        default="",
        pattern=r"^$|^[0-9a-fA-F-]{36}$",
        description="Issuer ID, above the list of team keys. Empty: it is an individual key.",
        examples=["57246542-96fe-1a63-e053-0824d011072a"],
        json_schema_extra=dict(FILL_IN),
    )
    private_key: SecretStr = Field(
        description="The key itself: the AuthKey_….p8 that can be downloaded once.",
        examples=["file:/etc/allears/AuthKey_2X9R4HXF34.p8"],
    )
    interval_seconds: float = Field(
        default=300, ge=1, le=86_400, description="Time between polls: one call for each app, of 3,600 an hour."
    )
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")
    url: str = Field(
        default="https://api.appstoreconnect.apple.com",
        pattern=r"^https://[^/?#@]+$|^http://(localhost|127\.0\.0\.1)(:\d+)?$",
        description="Address of the API.",
    )

    @field_validator("private_key")
    @classmethod
    def _is_key(cls, key: SecretStr) -> SecretStr:
        try:
            sign_es256(key.get_secret_value(), {}, {})
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return key
