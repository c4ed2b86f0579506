"""What an admin says about a mailbox of Microsoft 365."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.oauth import OAuthSettings
from allears_sdk.settings import ChannelSettings


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
    move_to: str = Field(default="", description='Folder for `after = "move"`.', examples=["Filed"])
    max_mail_bytes: int = Field(
        default=50_000_000,
        ge=1024,
        description="Of a larger mail only the header is stored, as a letter; it stays in its folder, unread.",
    )
    timeout_seconds: float = Field(default=60, ge=1, le=600, description="How long one answer may take.")
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
    sender_name: str = Field(
        default="",
        max_length=60,
        description="Name beside the mailbox's address in our answers, where `acknowledge` asks for them.",
        examples=["Example 客服"],
    )

    @model_validator(mode="after")
    def _agree(self) -> GraphMailSettings:
        if (self.after == "move") != bool(self.move_to):
            raise ValueError('move_to and after = "move" go together')
        names = [name.casefold() for name in self.folders]
        if self.move_to.casefold() in names:
            raise ValueError("move_to must not be one of the folders that are read")
        if len(set(names)) < len(names):
            raise ValueError("a folder is named twice")
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
