"""What an admin says about a mailbox at Google."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from allears_sdk.oauth import OAuthSettings
from allears_sdk.settings import ChannelSettings
from connectors._mail.settings import MAX_MAIL_BYTES, AnswerSeconds, MaxMailBytes, SenderName

_SCOPES = "https://www.googleapis.com/auth/"


class GmailSettings(ChannelSettings):
    """A mailbox read over the Gmail API."""

    example_name: ClassVar[str] = "support-gmail"

    connector: Literal["gmail"] = Field(default="gmail", description="Which connector listens here.")
    mailbox: str = Field(
        pattern=r"^[^\s@]+@[^\s@]+$",
        description="The account's own address, not an alias of it.",
        examples=["support@example.com"],
    )
    oauth: OAuthSettings = Field(
        description="The client that is registered in a Google Cloud project.",
        examples=[
            {
                "provider": "google",
                "client_id": "123456789012-abc.apps.googleusercontent.com",
                "client_secret": "env:GMAIL_CLIENT_SECRET",
            }
        ],
    )
    labels: tuple[str, ...] = Field(
        default=("INBOX",),
        min_length=1,
        description='Labels to read: "INBOX", or names as people see them.',
        examples=[["INBOX", "投诉"]],
    )
    after: Literal["seen", "nothing", "archive", "trash"] = Field(
        default="seen",
        description="What happens to a mail once it is stored: marked as read, left alone, taken out of the label, or "
        "put into the trash, where Gmail removes it after 30 days.",
    )
    max_mail_bytes: MaxMailBytes = Field(
        default=MAX_MAIL_BYTES,
        description="Of a larger mail only the header is stored, as a letter; it keeps its labels.",
    )
    timeout_seconds: AnswerSeconds = 60
    url: str = Field(
        default="https://gmail.googleapis.com",
        pattern=r"^https://[^/?#@]+$|^http://(localhost|127\.0\.0\.1)(:\d+)?$",
        description="Address of the Gmail API; another one where a proxy stands before it.",
    )
    topic: str = Field(
        default="",
        pattern=r"^$|^projects/[^/\s]+/topics/[^/\s]+$",
        description="Pub/Sub topic through which Gmail tells at once of new mail. Empty: polls alone.",
        examples=["projects/my-project/topics/allears"],
    )
    push_token: SecretStr | None = Field(
        default=None,
        description="Any random word; the topic's push subscription has it in its address as `?token=`.",
    )
    sender_name: SenderName = ""

    @model_validator(mode="after")
    def _agree(self) -> GmailSettings:
        if len({name.casefold() for name in self.labels}) < len(self.labels):
            raise ValueError("a label is named twice")
        if bool(self.topic) != bool(self.push_token and self.push_token.get_secret_value()):
            raise ValueError("topic and push_token go together")
        return self

    @property
    def scopes(self) -> tuple[str, ...]:
        """As little as `after` and answers need."""
        if self.after != "nothing":
            return (_SCOPES + "gmail.modify",)  # sending included
        sending = (_SCOPES + "gmail.send",) if self.acknowledges else ()
        return (_SCOPES + "gmail.readonly", *sending)
