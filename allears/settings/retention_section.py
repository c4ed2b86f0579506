"""`[retention]`: how long contents are kept."""

from __future__ import annotations

from pydantic import Field

from allears_sdk.settings import Settings


class RetentionSection(Settings):
    """How long contents are kept once nothing needs them any more. What was filed stays, and so do the keys: nothing
    is read in twice."""

    originals_days: float = Field(
        default=90,
        ge=0,
        le=36_500,
        description="Messages as the channel handed them over, with their attachments, after the last conversation, "
        "letter or delivery that needs them is done; 0: for ever.",
    )
    payload_days: float = Field(
        default=7,
        ge=0,
        le=36_500,
        description="What was sent to a destination, word for word, after it was sent; 0: for ever.",
    )
