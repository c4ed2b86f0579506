"""What notices (Slack, e-mail) share: they tell people of a complaint, and hold no more of it than they must."""

from __future__ import annotations

from pydantic import Field

from allears_sdk.masking import KINDS
from allears_sdk.tickets import LinkSettings, TextSettings


class NoticeSettings(TextSettings):
    """Of a notice there is the text alone: no fields, no files but by link."""

    mask: frozenset[str] = Field(
        default=frozenset(KINDS),
        description='Kinds of personal data masked before anything leaves: "phone", "email", "id_card", "bank_card"; '
        "[] masks none.",
    )
    files: LinkSettings = Field(
        default_factory=LinkSettings, description="What becomes of attachments: linked, or named only."
    )
