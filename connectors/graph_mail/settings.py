"""What an admin says about a mailbox of Microsoft 365."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.oauth import OAuthSettings
from allears_sdk.settings import ChannelSettings
from connectors._mail.settings import (
    MAX_MAIL_BYTES,
    AnswerSeconds,
    MaxMailBytes,
    MoveTo,
    SenderName,
    check_folders,
)


class GraphMailSettings(ChannelSettings):
    """A mailbox read over Microsoft Graph."""

    example_name: ClassVar[str] = "support-365"

    connector: Literal["graph_mail"] = Field(default="graph_mail", description="Which connector listens here.")
    mailbox: str = Field(
        min_length=1,
        pattern=r"^[^\s/?#]+$",
        description='The mailbox\'s address, also of a shared one; or "me", whoever has logged in.',
        examples=["support@contoso.com"],
    )
    oauth: OAuthSettings = Field(
        description="The application that is registered in Microsoft Entra.",
        examples=[
            {
                "provider": "microsoft",
                "tenant": "contoso.onmicrosoft.com",
                "grant": "client_credentials",
                "client_id": "11111111-2222-3333-4444-555555555555",
                "client_secret": "env:GRAPH_CLIENT_SECRET",
            }
        ],
    )
    folders: tuple[str, ...] = Field(
        default=("inbox",),
        min_length=1,
        description='Folders to read: "inbox" or another of Outlook\'s own, else names as people see them, with "/" '
        "between a folder and those inside it.",
        examples=[["inbox", "inbox/投诉"]],
    )
    after: Literal["seen", "nothing", "delete", "move"] = Field(
        default="seen",
        description="What happens to a mail once it is stored: marked as read, left alone, put into Deleted Items, "
        "or moved.",
    )
    move_to: MoveTo = ""
    max_mail_bytes: MaxMailBytes = MAX_MAIL_BYTES
    timeout_seconds: AnswerSeconds = 60
    url: str = Field(
        default="https://graph.microsoft.com",
        pattern=r"^https://[^/?#@]+$|^http://(localhost|127\.0\.0\.1)(:\d+)?$",
        description="Address of Microsoft Graph; national clouds have their own.",
    )
    notification_url: str = Field(
        default="",
        pattern=r"^$|^https://[^\s?#]+$",
        description="This channel's public address: Microsoft then tells at once of new mail. Empty: polls alone.",
        examples=["https://hooks.example.com/in/support-365"],
    )
    notification_secret: SecretStr | None = Field(
        default=None,
        description="Any random word (up to 128 characters) by which notifications prove where they come from.",
    )
    sender_name: SenderName = ""

    @model_validator(mode="after")
    def _agree(self) -> GraphMailSettings:
        check_folders(self.folders, self.after, self.move_to)
        if self.mailbox == "me" and not self.oauth.is_personal:
            raise ValueError('an application has no mailbox of its own: give the address instead of "me"')
        if bool(self.notification_url) != bool(self.notification_secret):
            raise ValueError("notification_url and notification_secret go together")
        return self

    @property
    def scopes(self) -> tuple[str, ...]:
        """As little as `after` and answers need; another person's mailbox has permissions of its own."""
        needed = ["Mail.Read" if self.after == "nothing" else "Mail.ReadWrite"]
        needed += ["Mail.Send"] if self.acknowledges else []
        others = ["User.Read"] if self.mailbox == "me" else [f"{permission}.Shared" for permission in needed]
        return tuple(f"{self.url}/{permission}" for permission in (*needed, *others))
