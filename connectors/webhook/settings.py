"""What an admin can say about a generic receiver."""

from __future__ import annotations

from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator

from allears_sdk.settings import ChannelSettings, Settings
from connectors.webhook.auth import AuthSettings
from connectors.webhook.mapping import MapSettings
from connectors.webhook.paths import Path

REFERENCE = "{reference}"


class HandshakeSettings(Settings):
    """The question by which a platform makes sure that the address is ours, before it sends anything."""

    parameter: str = Field(
        default="", description="GET: the parameter whose value is sent back.", examples=["hub.challenge"]
    )
    token_parameter: str = Field(
        default="", description="GET: the parameter that must hold the token.", examples=["hub.verify_token"]
    )
    token: SecretStr | None = Field(default=None, description="GET: that token.")
    field: Path | None = Field(
        default=None, description="POST: the field whose value is sent back.", examples=["$.challenge"]
    )
    answer_key: str = Field(
        default="", description="Sent back as JSON under this key; empty: as plain text.", examples=["challenge"]
    )

    secret: SecretStr | None = Field(
        default=None,
        description="Secret of a platform that wants the value signed (HMAC-SHA256) and not sent back as it came: a "
        "challenge-response check (CRC).",
    )
    encoding: Literal["hex", "base64"] = Field(default="base64", description="How the signed value is written.")
    prefix: str = Field(default="", description="What stands before the signed value.", examples=["sha256="])

    @model_validator(mode="after")
    def _agree(self) -> HandshakeSettings:
        if not (self.parameter or self.field):
            raise ValueError("a handshake needs a parameter or a field")
        if bool(self.token_parameter) != bool(self.token):
            raise ValueError("token_parameter and token go together")
        return self


class AnswerSettings(Settings):
    """What the sender is told once its message is on disk; the same again when it sends it again."""

    status: int = Field(default=200, ge=200, le=299, description="HTTP status.")
    body: str = Field(
        default="",
        max_length=4000,
        description="Body; {reference} is filled in, the complaint's.",
        examples=['{"reference": "{reference}"}'],
    )
    media_type: str = Field(
        default="application/json", pattern=r"^[\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w-]+)*$", description="Its media type."
    )


class FilesSettings(Settings):
    """How files are fetched, after their message is stored."""

    hosts: tuple[str, ...] = Field(
        default=(),
        description="Hosts that files are fetched from; empty: any that is no private network.",
        examples=[["files.example.com"]],
    )
    authorization: SecretStr | None = Field(
        default=None,
        description='`Authorization` header that these hosts ask for, as "Bearer …"; goes to no other host.',
    )
    expire_minutes: float = Field(
        default=0, ge=0, le=525_600, description="How long the sender hands a file out; 0: for as long as we ask."
    )

    @model_validator(mode="after")
    def _agree(self) -> FilesSettings:
        if self.authorization and not self.hosts:
            raise ValueError("authorization needs hosts: it must not be sent to whomever a message names")
        return self


class WebhookSettings(ChannelSettings):
    example_name: ClassVar[str] = "hotline"

    connector: Literal["webhook"] = Field(default="webhook", description="Which connector listens here.")
    auth: AuthSettings = Field(
        description="How senders prove who they are.",
        examples=[{"method": "standard", "secrets": ["env:ALLEARS_HOTLINE_SECRET"]}],
    )
    map: MapSettings = Field(
        description="Which part of a request is what.",
        examples=[{"text": "$.transcript", "id": "$.event_id", "thread": "$.call_id", "author_phone": "$.from"}],
    )
    threading: Literal["item", "chat"] = Field(
        default="item",
        description='"item": each stands alone, and edits and what shares its `thread` follow up; "chat": messages of '
        "one `thread` make conversations, with a settle window.",
    )
    is_complaint: bool = Field(
        default=False, description="Everything said here is a complaint, whatever its words (a complaint form)."
    )
    visibility: Literal["private", "public"] = Field(
        default="private", description='"public" for reviews and posts: filed only when they complain.'
    )
    public_address: str = Field(
        default="",
        pattern=r"^$|^https?://[^\s?#]+$",
        description="Address of this channel as senders reach it; empty: `public.base_url` and the path.",
    )
    handshake: HandshakeSettings | None = Field(
        default=None,
        description="The platform's question before it sends anything.",
        examples=[{"parameter": "challenge"}],
    )
    answer: AnswerSettings = Field(
        default_factory=AnswerSettings,
        description="What senders are told.",
        examples=[{"status": 202}],
    )
    files: FilesSettings = Field(
        default_factory=FilesSettings, description="How files are fetched.", examples=[{"expire_minutes": 60}]
    )
    answer_within_seconds: float = Field(
        default=5,
        ge=1,
        le=60,
        description="How long the sender waits. A commit that takes longer is answered 503, and sent again.",
    )

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"unknown time zone {name!r}") from None
        return name

    @model_validator(mode="after")
    def _agree(self) -> WebhookSettings:
        if self.auth.method == "twilio" and not (self.auth.url or self.public_address):
            raise ValueError("twilio signs the address: set auth.url or public_address")
        if self.threading == "chat" and self.map.thread is None:
            raise ValueError("a chat needs map.thread")
        return self
