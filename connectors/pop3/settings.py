"""What an admin says about a maildrop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.mail.presets import SERVICES
from allears_sdk.mail.submission import Outgoing, answering
from allears_sdk.mail.wire import Endpoint, Tls
from allears_sdk.settings import FILL_IN
from connectors._mail.settings import (
    MAX_MAIL_BYTES,
    WHAT_LOGS_IN,
    ConnectSeconds,
    MaxMailBytes,
    Port,
    ServerSettings,
    SilenceSeconds,
    SubmissionTable,
)

Preset = Literal["qq", "tencent_exmail", "163", "126", "yeah", "aliyun_enterprise"]


class Pop3Settings(ServerSettings):
    """A mailbox read over POP3."""

    example_name: ClassVar[str] = "old-mail"
    hosts: ClassVar[Mapping[str, str]] = {name: service.pop3 for name, service in SERVICES.items() if service.pop3}
    ports: ClassVar[Mapping[Tls, int]] = {"implicit": 995, "starttls": 110, "none": 110}

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
    port: Port = Field(default=None, description="Port; empty: 995 with implicit TLS, 110 otherwise.", examples=[995])
    password: SecretStr = Field(description=WHAT_LOGS_IN)
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
    max_mail_bytes: MaxMailBytes = Field(
        default=MAX_MAIL_BYTES,
        description="Of a larger mail only the header is stored, as a letter; it stays at the server.",
    )
    timeout_seconds: SilenceSeconds = 30
    connect_timeout_seconds: ConnectSeconds = 10

    smtp: SubmissionTable = None

    @model_validator(mode="after")
    def _agree(self) -> Pop3Settings:
        if self.keep_days and self.after != "delete":
            raise ValueError('keep_days goes with after = "delete"')
        if any(set(text) & {"\r", "\n", "\0"} for text in (self.username, self.login_password)):
            raise ValueError("username and password are one line each")
        _ = self.outgoing
        return self

    @property
    def outgoing(self) -> Outgoing | None:
        """How our answers go out, where there are any. Raises ValueError saying what is missing."""
        return answering(self, self.smtp, preset=self.preset, username=self.username, password=self.login_password)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(
            host=self.host,
            port=self.effective_port,
            tls=self.tls,
            ca_file=self.ca_file,
            connect_timeout_seconds=self.connect_timeout_seconds,
            timeout_seconds=self.timeout_seconds,
        )
