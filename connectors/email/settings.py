"""What an admin says about a mailbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from allears_sdk.mail.presets import SERVICES
from allears_sdk.mail.submission import Outgoing, answering
from allears_sdk.mail.wire import Tls
from allears_sdk.oauth import OAuthSettings
from allears_sdk.settings import FILL_IN
from connectors._mail.settings import (
    MAX_MAIL_BYTES,
    ConnectSeconds,
    MaxMailBytes,
    MoveTo,
    Port,
    ServerSettings,
    SilenceSeconds,
    SubmissionTable,
    check_folders,
)

Preset = Literal[
    "gmail",
    "outlook",
    "qq",
    "tencent_exmail",
    "163",
    "126",
    "yeah",
    "netease_enterprise",
    "aliyun",
    "aliyun_enterprise",
    "icloud",
    "yahoo",
]


class EmailSettings(ServerSettings):
    """A mailbox read over IMAP."""

    example_name: ClassVar[str] = "support-mail"
    hosts: ClassVar[Mapping[str, str]] = {name: service.imap for name, service in SERVICES.items()}
    ports: ClassVar[Mapping[Tls, int]] = {"implicit": 993, "starttls": 143, "none": 143}

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
    port: Port = Field(default=None, description="Port; empty: 993 with implicit TLS, 143 otherwise.", examples=[993])
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
    move_to: MoveTo = ""
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
    max_mail_bytes: MaxMailBytes = MAX_MAIL_BYTES
    timeout_seconds: SilenceSeconds = 30
    connect_timeout_seconds: ConnectSeconds = 10

    smtp: SubmissionTable = None

    @model_validator(mode="after")
    def _agree(self) -> EmailSettings:
        if (self.password is None) == (self.oauth is None):
            raise ValueError("exactly one of password and oauth is needed")
        check_folders(self.folders, self.after, self.move_to, fold=str)
        _ = self.outgoing
        return self

    @property
    def outgoing(self) -> Outgoing | None:
        """How our answers go out, where there are any. Raises ValueError saying what is missing."""
        return answering(self, self.smtp, preset=self.preset, username=self.username, password=self.login_password)

    @property
    def consumes(self) -> bool:
        """Stored mails leave their folder, so that the folder itself says what is still to do."""
        return self.after in ("delete", "move")
