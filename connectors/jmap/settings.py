"""What an admin says about a mailbox behind JMAP."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.mail.submission import Outgoing, answering
from allears_sdk.settings import FILL_IN, ChannelSettings
from connectors._mail.settings import (
    MAX_MAIL_BYTES,
    AnswerSeconds,
    MaxMailBytes,
    MoveTo,
    SubmissionTable,
    check_folders,
)


class JmapSettings(ChannelSettings):
    """A mailbox read over JMAP."""

    example_name: ClassVar[str] = "support-jmap"

    connector: Literal["jmap"] = Field(default="jmap", description="Which connector listens here.")
    url: str = Field(
        pattern=r"^https://[^\s@?#]+$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/[^\s@?#]*)?$",
        description="The server; its session is looked up under /.well-known/jmap. Or the session's whole address.",
        examples=["https://mail.example.com"],
    )
    username: str = Field(
        default="",
        description="Login name, with `password`. Empty with `token`.",
        examples=["support@example.com"],
        json_schema_extra=dict(FILL_IN),
    )
    password: SecretStr | None = Field(
        default=None,
        description="Password or app password that belongs to `username`.",
        json_schema_extra=dict(FILL_IN),
    )
    token: SecretStr | None = Field(
        default=None, description="API token, instead of `username` and `password`.", examples=["env:JMAP_TOKEN"]
    )
    account: str = Field(
        default="",
        description="Id or name of the account to read, where the login sees several; empty: its own.",
        examples=["shared@example.com"],
    )
    folders: tuple[str, ...] = Field(
        default=("inbox",),
        min_length=1,
        description='Folders to read: by role ("inbox", "junk"), else by name as people see it, with "/" between a '
        "folder and those inside it.",
        examples=[["inbox", "Support/投诉"]],
    )
    after: Literal["seen", "nothing", "delete", "move"] = Field(
        default="seen",
        description="What happens to a mail once it is stored: marked as seen, left alone, deleted for good, or moved.",
    )
    move_to: MoveTo = Field(default="", examples=["archive"])
    push: bool = Field(default=True, description="Hear new mail at once where the server can tell (EventSource).")
    max_mail_bytes: MaxMailBytes = MAX_MAIL_BYTES
    timeout_seconds: AnswerSeconds = 60

    smtp: SubmissionTable = None

    @model_validator(mode="after")
    def _agree(self) -> JmapSettings:
        if bool(self.username) != bool(self.password):
            raise ValueError("username and password go together")
        if bool(self.token) == bool(self.password):
            raise ValueError("either a token, or username and password")
        check_folders(self.folders, self.after, self.move_to)
        _ = self.outgoing
        return self

    @property
    def outgoing(self) -> Outgoing | None:
        """How our answers go out, where there are any. Raises ValueError saying what is missing."""
        password = self.password.get_secret_value() if self.password else ""
        return answering(self, self.smtp, username=self.username, password=password)

    @property
    def session_url(self) -> str:
        scheme, _, rest = self.url.rstrip("/").partition("://")
        return self.url if "/" in rest else f"{scheme}://{rest}/.well-known/jmap"
