"""Which bucket, and how to get in."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from allears_sdk.settings import DestinationSettings
from allears_sdk.tickets.settings import FileSettings
from sink._cloudevents import MAX_BODY_BYTES, SOURCE


class S3Settings(DestinationSettings):
    """Which bucket, and how to get in."""

    bucket: str = Field(
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="Bucket; it must be there.", examples=["complaints"]
    )
    prefix: str = Field(
        default="allears",
        max_length=512,
        description="Objects are named `PREFIX/REFERENCE/KEY.json`; empty: without it.",
    )
    endpoint_url: str = Field(
        default="",
        pattern=r"^(https?://[^@\s/?#]+/?)?$",
        description="Address of a service that is not Amazon's, without the bucket; empty: Amazon S3 of the region.",
        examples=["https://minio.example.com"],
    )
    region: str = Field(
        default="us-east-1", pattern=r"^[A-Za-z0-9-]+$", description="Region of the bucket.", examples=["cn-north-1"]
    )
    path_style: bool = Field(
        default=False,
        description="True puts the bucket's name into the path, as MinIO and Ceph want it, not into the host's name.",
    )
    access_key_id: str = Field(
        default="",
        description="Access key; empty: from the environment (`AWS_…`), a web identity, or the machine's own role.",
    )
    secret_access_key: SecretStr | None = Field(
        default=None, description="Its secret.", examples=["env:ALLEARS_S3_SECRET_ACCESS_KEY"]
    )
    create_only: bool = Field(
        default=True,
        description="True never writes over an object (`If-None-Match`). False for services that do not know this: an "
        "event that is sent again then writes the same bytes once more.",
    )
    files: FileSettings = Field(
        default=FileSettings(), description="Attachments: objects under `PREFIX/REFERENCE/files/`, or links."
    )
    ca_file: Path | None = Field(
        default=None, description="Certificates to trust beside the system's, PEM: for a service with its own."
    )
    source: str = Field(default="", description=SOURCE)
    max_body_bytes: int = Field(default=1 << 20, ge=4096, le=16 << 20, description=MAX_BODY_BYTES)

    @field_validator("prefix")
    @classmethod
    def _is_prefix(cls, prefix: str) -> str:
        if prefix and (not prefix.isprintable() or not all(part.strip(".") for part in prefix.split("/"))):
            raise ValueError("a prefix is names with / between them")
        return prefix

    @model_validator(mode="after")
    def _is_pair(self) -> S3Settings:
        if bool(self.access_key_id) != bool(self.secret_access_key):
            raise ValueError("access_key_id and secret_access_key belong together")
        return self

    @property
    def endpoint(self) -> str | None:
        """With the bucket in the host's name, where it belongs there."""
        if not self.endpoint_url:
            return None
        parts = urlsplit(self.endpoint_url)
        return f"{parts.scheme}://{'' if self.path_style else f'{self.bucket}.'}{parts.netloc}"
