"""What an admin says about a mailbox."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.oauth import OAuthSettings
from allears_sdk.settings import FILL_IN, ChannelSettings
from connectors._mail.submission import Outgoing, SubmissionSettings, outgoing
from connectors.email.presets import Preset, fill

PORTS = {"implicit": 993, "starttls": 143, "none": 143}


class EmailSettings(ChannelSettings):
    """A mailbox read over IMAP."""

    example_name: ClassVar[str] = "support-mail"

    connector: Literal["email"] = Field(default="email", description="Which connector listens here.")
    preset: Preset | None = Field(
        default=None,
        description="A known service: fills in host, port and tls; what is set beside it counts more.",
        examples=["qq"],
    )
    host: str = Field(
        default="",
        description="IMAP server; not needed with a preset.",
        examples=["imap.example.com"],
        json_schema_extra=dict(FILL_IN),
    )
    port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="Port; empty: 993 with implicit TLS, 143 otherwise.",
        examples=[993],
    )
    tls: Literal["implicit", "starttls", "none"] = Field(
        default="implicit",
        description='How the connection is encrypted: TLS from the first byte, STARTTLS, or "none" (loopback only).',
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
    password: SecretStr | None = Field(
        default=None,
        description="Password, or the authorisation code (QQ, 163, 126) or app password (Gmail) in its place.",
        json_schema_extra=dict(FILL_IN),
    )
    oauth: OAuthSettings | None = Field(
        default=None,
        description="Access tokens in place of a password: Microsoft 365, Gmail, Google Workspace.",
        examples=[{"provider": "microsoft", "tenant": "contoso.onmicrosoft.com", "client_id": "11111111-2222-…"}],
    )
    folders: tuple[str, ...] = Field(
        default=("INBOX",),
        min_length=1,
        description="Folders to read, as people see them. The first is heard at once (IDLE), the others are polled.",
        examples=[["INBOX", "投诉"]],
    )
    after: Literal["seen", "nothing", "delete", "move"] = Field(
        default="seen",
        description="What happens to a mail once it is stored: marked as seen, left alone, deleted, or moved.",
    )
    move_to: str = Field(default="", description='Folder for `after = "move"`.', examples=["Filed"])
    idle: bool = Field(default=True, description="Hear new mail at once where the server can tell (IMAP IDLE).")
    idle_renew_minutes: float = Field(
        default=9, gt=0, le=29, description="IDLE is renewed this often; routers forget a silent connection."
    )
    max_connections: int | None = Field(
        default=None,
        ge=1,
        description="Most connections to this server at the same time, those of all channels here counted; beyond it "
        "mailboxes take turns. Empty: one for each channel.",
        examples=[10],
    )
    max_mail_bytes: int = Field(
        default=50_000_000,
        ge=1024,
        description="Of a larger mail only the header is stored, as a letter; it stays in its folder, unread.",
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
    def _agree(self) -> EmailSettings:
        if not self.host:
            raise ValueError("host is missing; or choose a preset")
        if (self.password is None) == (self.oauth is None):
            raise ValueError("exactly one of password and oauth is needed")
        if self.tls == "none" and not self.allow_plain and not is_loopback(self.host):
            raise ValueError('tls = "none" sends the password readable: use "implicit" or "starttls"')
        if (self.after == "move") != bool(self.move_to):
            raise ValueError('move_to and after = "move" go together')
        if self.move_to in self.folders:
            raise ValueError("move_to must not be one of the folders that are read")
        if len(set(self.folders)) < len(self.folders):
            raise ValueError("a folder is named twice")
        _ = self.outgoing
        return self

    @property
    def outgoing(self) -> Outgoing | None:
        """How our answers go out, where there are any. Raises ValueError saying what is missing."""
        if self.acknowledges is None:
            return None
        return outgoing(self.smtp, preset=self.preset, username=self.username, password=self.login_password)

    @property
    def login_password(self) -> str:
        return self.password.get_secret_value() if self.password else ""

    @property
    def effective_port(self) -> int:
        return self.port or PORTS[self.tls]

    @property
    def consumes(self) -> bool:
        """Stored mails leave their folder, so that the folder itself says what is still to do."""
        return self.after in ("delete", "move")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
