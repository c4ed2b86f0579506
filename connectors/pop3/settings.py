"""What an admin says about a maildrop."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.settings import FILL_IN, ChannelSettings
from connectors._mail.submission import Outgoing, SubmissionSettings, outgoing
from connectors._mail.wire import Endpoint, is_loopback
from connectors.pop3.presets import Preset, fill

PORTS = {"implicit": 995, "starttls": 110, "none": 110}


class Pop3Settings(ChannelSettings):
    """A mailbox read over POP3."""

    example_name: ClassVar[str] = "old-mail"

    connector: Literal["pop3"] = Field(default="pop3", description="Which connector listens here.")
    preset: Preset | None = Field(
        default=None, description="A known service: fills in host; what is set beside it counts more.", examples=["qq"]
    )
    host: str = Field(
        default="",
        description="POP3 server; not needed with a preset.",
        examples=["pop.example.com"],
        json_schema_extra=dict(FILL_IN),
    )
    port: int | None = Field(
        default=None, ge=1, le=65_535, description="Port; empty: 995 with implicit TLS, 110 otherwise.", examples=[995]
    )
    tls: Literal["implicit", "starttls", "none"] = Field(
        default="implicit",
        description='How the connection is encrypted: TLS from the first byte, STLS, or "none" (loopback only).',
    )
    allow_plain: bool = Field(
        default=False, description='Permits `tls = "none"` to another machine. The password then travels readable.'
    )
    ca_file: Path | None = Field(
        default=None, description="PEM file of the authority that signed the server's certificate; empty: the system's."
    )
    username: str = Field(
        min_length=1, description="Login name, usually the whole address.", examples=["support@example.com"]
    )
    password: SecretStr = Field(
        description="Password, or the authorisation code (QQ, 163, 126) or app password (Gmail) in its place."
    )
    after: Literal["nothing", "delete"] = Field(
        default="nothing",
        description="What happens to a mail once it is stored whole: it stays at the server, or is deleted there.",
    )
    keep_days: float = Field(
        default=0,
        ge=0,
        le=3650,
        description='With `after = "delete"`: mails stay this long after they arrived. 0: deleted once stored.',
    )
    identify: Literal["uidl", "header"] = Field(
        default="uidl",
        description=(
            "What a mail is recognised by: the server's own ids, or header and size where it has none or changes them."
        ),
    )
    max_mail_bytes: int = Field(
        default=50_000_000,
        ge=1024,
        description="Of a larger mail only the header is stored, as a letter; it stays at the server.",
    )
    timeout_seconds: float = Field(
        default=30, ge=1, le=600, description="How long the server may be silent in the middle of an answer."
    )
    connect_timeout_seconds: float = Field(default=10, ge=1, le=120, description="How long connecting may take.")

    smtp: SubmissionSettings | None = Field(
        default=None,
        description="The server that sends our answers, where `acknowledge` asks for them.",
        examples=[{"host": "smtp.example.com", "sender": "support@example.com"}],
    )

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: Any) -> Any:
        return fill(given) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _agree(self) -> Pop3Settings:
        if not self.host:
            raise ValueError("host is missing; or choose a preset")
        if self.tls == "none" and not self.allow_plain and not is_loopback(self.host):
            raise ValueError('tls = "none" sends the password readable: use "implicit" or "starttls"')
        if self.keep_days and self.after != "delete":
            raise ValueError('keep_days goes with after = "delete"')
        if any(set(text) & {"\r", "\n", "\0"} for text in (self.username, self.password.get_secret_value())):
            raise ValueError("username and password are one line each")
        _ = self.outgoing
        return self

    @property
    def outgoing(self) -> Outgoing | None:
        """How our answers go out, where there are any. Raises ValueError saying what is missing."""
        if self.acknowledges is None:
            return None
        return outgoing(
            self.smtp, preset=self.preset, username=self.username, password=self.password.get_secret_value()
        )

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(
            host=self.host,
            port=self.port or PORTS[self.tls],
            tls=self.tls,
            ca_file=self.ca_file,
            connect_timeout_seconds=self.connect_timeout_seconds,
            timeout_seconds=self.timeout_seconds,
        )
