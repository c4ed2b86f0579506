"""What notices (Slack, e-mail) share: they tell people of a complaint, and hold no more of it than they must."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from allears_sdk.masking import KINDS
from allears_sdk.tickets import FileSettings, TicketSettings


class NoticeSettings(TicketSettings):
    """Of a notice there is the text alone: no fields, no files but by link."""

    mask: frozenset[str] = Field(
        default=frozenset(KINDS),
        description='Kinds of personal data masked before anything leaves: "phone", "email", "id_card", "bank_card"; '
        "[] masks none.",
    )
    files: FileSettings = Field(
        default=FileSettings(mode="link"), description="What becomes of attachments: linked, or named only."
    )

    @field_validator("files")
    @classmethod
    def _goes_by_link(cls, files: FileSettings) -> FileSettings:
        if files.mode == "upload":
            raise ValueError('a notice takes no files: mode = "link" or "none"')
        return files

    @model_validator(mode="after")
    def _has_text_alone(self) -> NoticeSettings:
        if self.fields or self.public_notes or self.webhook_secret is not None:
            raise ValueError("a notice has no fields, public_notes, webhook_secret: say it in subject, text and note")
        return self
