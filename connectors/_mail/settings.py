"""What admins say in the same words to every connector that reads mail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr, model_validator

from allears_sdk.mail.presets import fill
from allears_sdk.mail.submission import SubmissionSettings
from allears_sdk.mail.wire import Tls, is_loopback
from allears_sdk.settings import FILL_IN, ChannelSettings

MAX_MAIL_BYTES = 50_000_000
WHAT_LOGS_IN = "Password, or the authorisation code (QQ, 163, 126) or app password (Gmail) in its place."

Port = Annotated[int | None, Field(ge=1, le=65_535)]
MaxMailBytes = Annotated[
    int,
    Field(
        ge=1024,
        description="Of a larger mail only the header is stored, as a letter; it stays in its folder, unread.",
    ),
]
MoveTo = Annotated[str, Field(description='Folder for `after = "move"`.', examples=["Filed"])]
SilenceSeconds = Annotated[
    float, Field(ge=1, le=600, description="How long the server may be silent in the middle of an answer.")
]
ConnectSeconds = Annotated[float, Field(ge=1, le=120, description="How long connecting may take.")]
AnswerSeconds = Annotated[float, Field(ge=1, le=600, description="How long one answer may take.")]
SubmissionTable = Annotated[
    SubmissionSettings | None,
    Field(
        description="The server that sends our answers, where `acknowledge` asks for them.",
        examples=[{"host": "smtp.example.com", "sender": "support@example.com"}],
    ),
]
SenderName = Annotated[
    str,
    Field(
        max_length=60,
        description="Name beside the mailbox's address in our answers, where `acknowledge` asks for them.",
        examples=["Example 客服"],
    ),
]


class ServerSettings(ChannelSettings):
    """A mailbox at a server with a protocol of its own. Its `preset`, `host` and `port` are described per protocol."""

    hosts: ClassVar[Mapping[str, str]]
    """By the name of the preset."""
    ports: ClassVar[Mapping[Tls, int]]

    preset: str | None = None
    host: str = ""
    port: Port = None
    tls: Tls = Field(
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
    password: SecretStr | None = Field(default=None, description=WHAT_LOGS_IN, json_schema_extra=dict(FILL_IN))

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: Any) -> Any:
        return fill(given, cls.hosts) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _is_reachable(self) -> ServerSettings:
        if not self.host:
            raise ValueError("host is missing; or choose a preset")
        if self.tls == "none" and not self.allow_plain and not is_loopback(self.host):
            raise ValueError('tls = "none" sends the password readable: use "implicit" or "starttls"')
        return self

    @property
    def login_password(self) -> str:
        return self.password.get_secret_value() if self.password else ""

    @property
    def effective_port(self) -> int:
        return self.port or self.ports[self.tls]


def check_folders(folders: Sequence[str], after: str, move_to: str, fold: Callable[[str], str] = str.casefold) -> None:
    """Raises ValueError where they contradict each other. `fold`: what is one folder to the server."""
    names = [fold(name) for name in folders]
    if (after == "move") != bool(move_to):
        raise ValueError('move_to and after = "move" go together')
    if fold(move_to) in names:
        raise ValueError("move_to must not be one of the folders that are read")
    if len(set(names)) < len(names):
        raise ValueError("a folder is named twice")
