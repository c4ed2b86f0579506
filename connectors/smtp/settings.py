"""What an admin says about a listener for mail."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator, model_validator

from allears_sdk.mail.submission import Outgoing, answering
from allears_sdk.mail.wire import is_loopback
from allears_sdk.settings import ChannelSettings
from connectors._mail.settings import MAX_MAIL_BYTES, SubmissionTable
from connectors.smtp.address import fold_domain, fold_recipient


class SmtpSettings(ChannelSettings):
    """A place where other mail servers hand over mail."""

    example_name: ClassVar[str] = "forwarded-mail"

    connector: Literal["smtp"] = Field(default="smtp", description="Which connector listens here.")
    protocol: Literal["smtp", "lmtp"] = Field(
        default="smtp", description="SMTP for an MX or a forwarding rule; LMTP for your own mail server's delivery."
    )
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description='Address to listen on; "*" for all of this machine\'s.',
        examples=["*"],
    )
    port: int = Field(default=2525, ge=1, le=65_535, description="Port to listen on; an MX is reached at 25.")
    unix_socket: Path | None = Field(
        default=None,
        description="Listen on this Unix socket instead of host and port.",
        examples=["/run/allears/lmtp.sock"],
    )
    unix_socket_mode: str = Field(
        default="660", pattern="^[0-7]{3}$", description="Permissions of the Unix socket, in octal."
    )
    greeting_name: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9.:\[\]_-]*$",
        description="Name in the greeting; empty: this machine's.",
        examples=["mx.example.com"],
    )
    recipients: tuple[str, ...] = Field(
        default=(),
        description="Addresses and domains whose mail is taken, all others are refused. Required unless only this "
        "machine can connect.",
        examples=[["complaints@example.com", "tousu.example.cn"]],
    )
    allow_from: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description="Networks that may connect; empty: everyone who reaches the port.",
        examples=[["203.0.113.0/24"]],
    )
    proxy_from: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description="Load balancers in front of us: only they may connect, and must say the client's address by the "
        "PROXY protocol.",
        examples=[["10.0.0.5/32"]],
    )
    certificate_file: Path | None = Field(
        default=None,
        description="PEM file with the certificate and its chain; with it STARTTLS is offered.",
        examples=["/etc/allears/mx.example.com.pem"],
    )
    key_file: Path | None = Field(
        default=None,
        description="PEM file with the private key; empty: it is in `certificate_file`.",
        examples=["/etc/allears/mx.example.com.key"],
    )
    require_tls: bool = Field(default=False, description="Take mail only over TLS.")
    username: str = Field(
        default="", description="Login that clients must use (AUTH PLAIN or LOGIN, over TLS only); empty: no login."
    )
    password: SecretStr | None = Field(default=None, description="Password of that login.")
    max_mail_bytes: int = Field(
        default=MAX_MAIL_BYTES, ge=1024, le=1 << 30, description="Larger mails are refused; senders are told before."
    )
    max_hops: int = Field(
        default=100, ge=5, le=1000, description="A mail that passed more servers than this is in a loop and refused."
    )
    max_connections: int = Field(default=200, ge=1, le=10_000, description="Connections at the same time.")
    max_connections_per_client: int = Field(
        default=50, ge=1, le=10_000, description="Of these, from the same address; a load balancer does not count."
    )
    timeout_seconds: float = Field(
        default=300, ge=1, le=3600, description="How long a client may be silent between commands."
    )
    data_timeout_seconds: float = Field(
        default=600, ge=1, le=7200, description="How long the transfer of one mail may take."
    )
    answer_within_seconds: float = Field(
        default=60,
        gt=0,
        le=600,
        description="When a mail is not on disk after this time, the sender is asked to send it again later.",
    )

    smtp: SubmissionTable = None

    @field_validator("recipients")
    @classmethod
    def _are_addresses(cls, recipients: tuple[str, ...]) -> tuple[str, ...]:
        for recipient in recipients:
            local, at, domain = recipient.rpartition("@")
            if not fold_domain(domain) or (at and not local and recipient != f"@{domain}"):
                raise ValueError(f'"{recipient}" is neither an address nor a domain')
        return tuple(fold_recipient(recipient.removeprefix("@")) for recipient in recipients)

    @model_validator(mode="after")
    def _agree(self) -> SmtpSettings:
        if not self.recipients and not self.is_local:
            raise ValueError("recipients is required: this port can be reached from outside")
        if self.key_file and not self.certificate_file:
            raise ValueError("key_file needs certificate_file")
        if self.require_tls and not self.certificate_file:
            raise ValueError("require_tls needs certificate_file")
        if self.require_tls and self.protocol == "lmtp":
            raise ValueError("require_tls is for SMTP: keep LMTP on this machine")
        if bool(self.username) != bool(self.password):
            raise ValueError("username and password go together")
        if self.username and not self.certificate_file:
            raise ValueError("username needs certificate_file: a password never travels readable")
        _ = self.outgoing
        return self

    @property
    def outgoing(self) -> Outgoing | None:
        """How our answers go out, where there are any. Raises ValueError saying what is missing."""
        return answering(self, self.smtp)

    @property
    def is_local(self) -> bool:
        """Only this machine can connect."""
        return self.unix_socket is not None or is_loopback(self.host)

    @property
    def place(self) -> str:
        """Where we listen, as people write it."""
        if self.unix_socket is not None:
            return f"{self.protocol}:unix:{self.unix_socket}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}:{host}:{self.port}"
